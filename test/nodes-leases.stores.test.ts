import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { auditEvents, control } from './support/audit-log.ts';
import { endOf } from './support/busy-clients.ts';
import { call } from './support/http-client.ts';
import { type NodeGround, prepareNodes } from './support/nodes.ts';
import { postern } from './support/postern.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import type { RunningGateway } from './support/start-gateway.ts';

/** All nodes here have leases of this length, so that no test waits for fifteen seconds. */
const LEASE_MS = 2_000;
const AHEAD_MS = 600_000;
const MAIN = fileURLToPath(new URL('support/node-of-other-times.ts', import.meta.url));
const coder = newAgent('coder');

let ground: NodeGround;
let node: RunningGateway;
/** Its machine's clock is ten minutes ahead. */
let ahead: RunningGateway;
beforeAll(async () => {
  ground = await prepareNodes({
    postgresUrl: inject('postgresUrl'),
    redisUrl: inject('redisUrl'),
    handler: async (request, response) => {
      const ms = Number(/-(\d+)ms$/.exec(request.url)?.[1] ?? 0);
      await new Promise((resolve) => setTimeout(resolve, ms));
      response.writeHead(201).end('done once');
    },
    config: ({ url }) =>
      configOf([coder], [integration('api', url, { retry: { attempts: 1 } }), integration('asked', url)], {
        rules: [
          { id: 'all', effect: 'allow', integrations: ['api'] },
          {
            id: 'asked',
            effect: 'require_approval',
            integrations: ['asked'],
            approval: { approvers: 1, groups: [], pendingSeconds: 60, executeSeconds: 60, grant: 'once' },
          },
        ],
      }),
  });
  const times = { LEASE_MS: String(LEASE_MS) };
  [node, ahead] = await Promise.all([
    ground.start('node', { main: MAIN, environment: times }),
    ground.start('ahead', { main: MAIN, environment: { ...times, CLOCK_AHEAD_MS: String(AHEAD_MS) } }),
  ]);
});
afterAll(() => ground?.[Symbol.asyncDispose]());

const send = (gateway: RunningGateway, path: string, key?: string) =>
  call(gateway.dataUrl, path, {
    body: 'x',
    headers: { 'postern-key': coder.key, ...(key === undefined ? {} : { 'idempotency-key': key }) },
  });
const stateOf = async (key: string) =>
  (await ground.query(`select state from claims where key = '${key}'`))[0]?.['state'];

describe('a node whose clock is ten minutes ahead', () => {
  test('takes no call of another for abandoned, however long that runs', async () => {
    const calls = [node, ahead].map((gateway, place) => endOf(send(gateway, `/to/api/long-3500ms`, `long-${place}`)));
    await vi.waitFor(async () => expect(await stateOf('long-0')).toBe('dispatching'), 3_000);
    expect(await endOf(send(ahead, '/to/api/long-3500ms', 'long-0'))).toBe('in_flight');
    expect(await Promise.all(calls)).toEqual(['201', '201']);
    for (const key of ['long-0', 'long-1'])
      await vi.waitFor(async () => expect(await stateOf(key)).toBe('succeeded'), 3_000);
    expect((await auditEvents(node, { type: 'violation' })).length).toBe(0);
  });

  test('reads an approval as pending that is pending for a minute more', async () => {
    const held = await send(node, '/to/asked/x');
    const id = held.problem().approval?.id;
    const status = await call(ahead.dataUrl, `/v1/approvals/${id}`, { headers: { 'postern-key': coder.key } });
    expect(status.json()).toMatchObject({ status: 'pending' });
    expect((await control(ahead, 'POST', `/v1/approvals/${id}/approve`, { body: {} })).status).toBe(200);
    expect(await endOf(send(node, '/to/asked/x'))).toBe('201');
  });

  test('is told of by every node', async () => {
    const { items } = (await control(node, 'GET', '/v1/nodes')).json();
    const aheadMs = items.map(({ clockAheadMs }: { clockAheadMs: number }) => clockAheadMs).sort();
    expect(Math.abs(aheadMs[0])).toBeLessThan(1_000);
    expect(Math.abs(aheadMs[1] - AHEAD_MS)).toBeLessThan(1_000);
    const doctor = await postern(node, ['doctor', '--no-connect', '--json'], '', node.adminToken);
    const { findings } = JSON.parse(doctor.out) as { findings: { code?: string; about: string; message: string }[] };
    const clocks = findings.filter(({ code }) => code === 'clock-skew');
    expect(clocks.map(({ message }) => message)).toEqual([expect.stringContaining('600.0 s ahead of the database’s')]);
    expect(ahead.stderr()).toMatch(/clock/);
    expect((await control(ahead, 'GET', '/metrics')).text).toMatch(/postern_clock_ahead_seconds (599|600)/);
  });
});

test('a node that stands still past its lease sends nothing twice, and what it then learns is recorded as a violation', async () => {
  const keys = Array.from({ length: 5 }, (_, place) => `frozen-${place}`);
  const calls = keys.map((key) => endOf(send(ahead, `/to/api/${key}-500ms`, key)));
  await vi.waitFor(() => {
    for (const key of keys) expect(ground.sent(`/${key}-500ms`)).toBe(1);
  }, 3_000);
  ahead.process.kill('SIGSTOP');
  for (const key of keys) {
    await vi.waitFor(async () => expect(await stateOf(key)).toBe('unknown'), 4 * LEASE_MS);
    expect(await endOf(send(node, `/to/api/${key}-500ms`, key))).toBe('outcome_unknown');
  }
  // Meanwhile the other goes on, and does what the two share.
  expect(await endOf(send(node, '/to/api/meanwhile', 'meanwhile'))).toBe('201');
  ahead.process.kill('SIGCONT');
  expect(await Promise.all(calls)).toEqual(keys.map(() => '201'));
  const late = await vi.waitFor(async () => {
    const entries = await auditEvents(node, { type: 'violation' });
    expect(entries).toHaveLength(keys.length);
    return entries;
  }, 5_000);
  const intents = new Map((await auditEvents(node, { type: 'intent' })).map(({ requestId, url }) => [requestId, url]));
  for (const { requestId } of late) expect(intents.get(requestId)).toMatch(/\/frozen-\d-500ms$/);
  for (const key of keys) {
    expect(await stateOf(key)).toBe('unknown');
    expect(await endOf(send(ahead, `/to/api/${key}-500ms`, key))).toBe('outcome_unknown');
    expect(ground.sent(`/${key}-500ms`)).toBe(1);
  }
  expect(await endOf(send(ahead, '/to/api/after', 'after'))).toBe('201');
});
