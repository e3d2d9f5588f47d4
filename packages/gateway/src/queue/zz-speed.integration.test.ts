import { startUpstream } from '@postern/testing';
import { expect, test } from 'vitest';
import { TENANT } from '../gateway.fixture.ts';
import { startQueue } from './queued-calls.fixture.ts';

test('speed', async () => {
  const upstream = await startUpstream();
  const scene = await startQueue(upstream, { isWorking: false });
  let t = performance.now();
  for (let n = 0; n < 300; n += 1) await scene.queue(`q-${n}`);
  console.log('enqueue ms each', (performance.now() - t) / 300);
  const now = Date.now();
  const fill = async (integration: string) => {
    for (let part = 0; part < 20; part += 1) {
      const rows = Array.from({ length: 480 }, (_, index) => ({
        ...{ tenant: TENANT, id: `${integration}${part}-${index}`, agent: 'coder', integration, state: 'queued' as const },
        ...{ sealed_request: 's', claim_key: `${part}-${index}`, request_id: 'r', attempts: 0 },
        ...{ due_at: now, created_at: now },
      }));
      await scene.gateway.db.writes.insertInto('queued_calls').values(rows).execute();
    }
  };
  await fill('api');
  t = performance.now();
  const a = await scene.gateway.repositories.queuedCalls.take(Date.now(), { leaseMs: 1, limit: 64 });
  console.log('take among 10000', performance.now() - t, a.length);
  await new Promise((r) => setTimeout(r, 10));
  t = performance.now();
  scene.work();
  await new Promise((r) => setTimeout(r, 10_000));
  const done = await scene.gateway.db.points.selectFrom('queued_calls').select((e) => e.fn.countAll<number>().as('n')).where('state', '=', 'done').executeTakeFirst();
  console.log('done in 10 s', done, 'sent', scene.sent().length);
  t = performance.now();
  for (let n = 0; n < 20; n += 1) await scene.gateway.repositories.queuedCalls.take(Date.now(), { leaseMs: 1, limit: 64 });
  console.log('take', (performance.now() - t) / 20);
  await scene[Symbol.asyncDispose]();
  await upstream.close();
  expect(1).toBe(1);
}, 60_000);
