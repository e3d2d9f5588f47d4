import { cp } from 'node:fs/promises';
import path from 'node:path';
import { startUpstream, temporaryFolder, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { auditEvents, eventualAuditEvents } from './support/audit-log.ts';
import { type Answer, call } from './support/http-client.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { mountSmallDisk } from './support/small-disks.ts';
import { type RunningGateway, startGateway, startRefused } from './support/start-gateway.ts';

const coder = newAgent('coder');
/** More calls than the free part of the database's files can take. */
const CALLS_MAX = 5_000;

let upstream: Upstream;

beforeAll(async () => {
  upstream = await startUpstream();
});

afterAll(async () => {
  await upstream?.close();
});

const config = () => configOf([coder], [integration('api', upstream.url)]);
const headers = { 'postern-key': coder.key };
const get = (gateway: RunningGateway) => call(gateway.dataUrl, '/to/api/x', { headers });

async function callUntilRefused(gateway: RunningGateway): Promise<Answer> {
  for (let count = 0; count < CALLS_MAX; count += 1) {
    const before = upstream.requests.length;
    const answer = await get(gateway);
    if (answer.status === 200) continue;
    expect(upstream.requests.length).toBe(before);
    return answer;
  }
  throw new Error(`${CALLS_MAX} calls went through though nothing could be recorded`);
}

async function expectNothingSent(gateway: RunningGateway): Promise<void> {
  const before = upstream.requests.length;
  for (let count = 0; count < 20; count += 1) {
    expect((await get(gateway)).problem()).toMatchObject({ status: 503, code: 'audit_unavailable', retryable: true });
  }
  expect(upstream.requests.length).toBe(before);
}

/** Every call that an upstream saw since `first` has an intent, and every intent exactly one outcome. */
async function expectAllPaired(gateway: RunningGateway, first: number): Promise<void> {
  const sent = upstream.requests.slice(first).map((request) => request.headers['x-request-id']);
  await vi.waitFor(async () => {
    const entries = await auditEvents(gateway);
    const ids = (type: string) => entries.filter((entry) => entry.type === type).map(({ requestId }) => requestId);
    const [intents, outcomes] = [ids('intent'), ids('outcome')];
    expect(intents).toEqual(expect.arrayContaining(sent));
    expect(new Set(intents).size).toBe(intents.length);
    expect([...outcomes].sort()).toEqual([...intents].sort());
  }, 5_000);
}

describe('when the audit store is down nothing is sent (acceptance vector 8)', () => {
  test('a data folder that is full: 503, and calls again once there is room', async () => {
    const first = upstream.requests.length;
    await using disk = await mountSmallDisk('tmpfs');
    await using gateway = await startGateway({ config: config(), dataFolder: path.join(disk.path, 'data') });
    expect((await get(gateway)).status).toBe(200);
    await disk.fill();
    expect((await callUntilRefused(gateway)).problem()).toMatchObject({ status: 503, code: 'audit_unavailable' });
    await expectNothingSent(gateway);
    const before = upstream.requests.length;
    const body = Buffer.alloc(1_500_000);
    const large = await call(gateway.dataUrl, '/to/api/x', { method: 'POST', headers, body });
    expect(large.problem()).toMatchObject({ status: 503, retryable: true });
    expect(upstream.requests.length).toBe(before);
    await disk.drain();
    await vi.waitFor(async () => expect((await get(gateway)).status).toBe(200), 5_000);
    await expectAllPaired(gateway, first);
    expect((await gateway.kill('SIGTERM')).code).toBe(0);
  });

  test('a data folder that turns read-only: 503, then not ready; started on a sound disk, all is paired', async () => {
    const first = upstream.requests.length;
    await using disk = await mountSmallDisk('ext4');
    await using gateway = await startGateway({ config: config(), dataFolder: path.join(disk.path, 'data') });
    expect((await get(gateway)).status).toBe(200);
    await disk.makeReadOnly();
    await callUntilRefused(gateway);
    await expectNothingSent(gateway);
    await vi.waitFor(async () => {
      const readyz = await call(gateway.dataUrl, '/readyz');
      expect([readyz.status, readyz.json().dependencies.audit]).toEqual([503, 'failing']);
    }, 10_000);
    expect((await call(gateway.dataUrl, '/healthz')).status).toBe(200);
    await gateway.kill('SIGKILL');
    await using sound = await temporaryFolder();
    await cp(gateway.dataFolder, path.join(sound.path, 'data'), { recursive: true });
    await using again = await startGateway({ config: config(), dataFolder: path.join(sound.path, 'data') });
    expect((await get(again)).status).toBe(200);
    await expectAllPaired(again, first);
  });

  test.each(['full', 'read-only'])('a start on a data folder that is %s is refused with the reason', async (state) => {
    await using disk = await mountSmallDisk('tmpfs');
    if (state === 'full') await disk.fill();
    else await disk.makeReadOnly();
    const refused = await startRefused({ config: config(), dataFolder: path.join(disk.path, 'data') });
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(disk.path);
    expect(refused.stderr).toContain('POSTERN_DATA_DIR');
    expect(refused.stderr).not.toContain('    at ');
  });
});

describe('what a client calls its request', () => {
  test('the same X-Request-Id on several calls: each is audited and named by the gateway', async () => {
    await using gateway = await startGateway({ config: config() });
    const first = upstream.requests.length;
    const answers = await Promise.all(
      Array.from({ length: 5 }, () =>
        call(gateway.dataUrl, '/to/api/x', { headers: { ...headers, 'x-request-id': 'the-same' } }),
      ),
    );
    const ids = answers.map((answer) => answer.headers['postern-request-id'] as string);
    expect(new Set(ids).size).toBe(5);
    const seen = upstream.requests.slice(first).map((request) => request.headers['x-request-id']);
    expect([...seen].sort()).toEqual([...ids].sort());
    const intents = await eventualAuditEvents(gateway, { type: 'intent' }, 5);
    expect(intents.map(({ requestId }) => requestId).sort()).toEqual([...ids].sort());
    // A request id that is already the gateway's own cannot be taken either.
    const stolen = await call(gateway.dataUrl, '/to/api/x', { headers: { ...headers, 'x-request-id': ids[0] } });
    expect(stolen.headers['postern-request-id']).not.toBe(ids[0]);
    await expectAllPaired(gateway, first);
  });
});

describe('entries', () => {
  test('an intent tells who called what, by which rule, and never the query’s values', async () => {
    await using gateway = await startGateway({ config: config() });
    const answer = await call(gateway.dataUrl, '/to/api/a%20b?token=hunter2-hunter2', {
      // On the wire as UTF-8; the client writes one byte a character.
      headers: { ...headers, 'postern-intent': Buffer.from('für den Test').toString('latin1') },
    });
    const requestId = answer.headers['postern-request-id'] as string;
    const entries = await eventualAuditEvents(gateway, { requestId }, 2);
    expect(entries.map(({ type }) => type)).toEqual(['intent', 'outcome']);
    const common = {
      v: 1,
      tenant: 'default',
      requestId,
      agent: 'coder',
      integration: 'api',
      method: 'GET',
      url: `${upstream.url}/a%20b`,
    };
    expect(entries[0]).toMatchObject({
      ...common,
      kind: 'http',
      intent: 'für den Test',
      decision: 'allow',
      rule: 'all',
      addresses: ['127.0.0.1'],
      policyVersion: expect.stringMatching(/^(?:sha-256:)?[0-9a-f]{64}$/),
    });
    expect(entries[1]).toMatchObject({ ...common, result: 'done', status: 200, latencyMs: expect.any(Number) });
    expect(entries[1]?.seq).toBeGreaterThan(entries[0]?.seq as number);
    expect(JSON.stringify(entries)).not.toMatch(/hunter2|args|redactions/);
    for (const entry of entries) {
      expect(Number.isSafeInteger(entry.at)).toBe(true);
      expect(Object.values(entry)).not.toContain(null);
    }
  });

  test('unauthenticated refusals are counted, not written one by one, and none is lost at a stop', async () => {
    await using folder = await temporaryFolder();
    const dataFolder = path.join(folder.path, 'data');
    await using gateway = await startGateway({ config: config(), dataFolder });
    for (let count = 0; count < 7; count += 1) await call(gateway.dataUrl, '/to/api/x');
    expect((await get(gateway)).status).toBe(200);
    expect(await eventualAuditEvents(gateway, { type: 'outcome' })).toHaveLength(1);
    expect(await auditEvents(gateway, { type: 'denied' })).toEqual([]);
    await gateway.kill('SIGTERM');
    await using again = await startGateway({ dataFolder });
    const [counted, ...rest] = await auditEvents(again, { type: 'denied' });
    expect(rest).toEqual([]);
    expect(counted).toMatchObject({ code: 'unauthenticated', count: 7, addresses: ['127.0.0.1'] });
  });
});
