import type { ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { control } from './support/audit-log.ts';
import { type Answer, call } from './support/http-client.ts';
import { postern } from './support/postern.ts';
import { HARDLY_RISKY, integration } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const NOISY = 'noisy';
const QUIET = 'quiet';
const range = (length: number) => Array.from({ length }, (_, index) => index);

let upstream: Upstream;
let gateway: RunningGateway;
const keys: Record<string, string> = {};
/** Answers that are held back: requests below `/hang` that came. */
let held: ServerResponse[] = [];
/** Below `/slow`: how many are there at once, and how many there were at most. */
const slow = { now: 0, most: 0 };

beforeAll(async () => {
  upstream = await startUpstream({
    handler: (request, response) => {
      if (request.url.includes('/hang')) return void held.push(response);
      if (!request.url.includes('/slow')) return void response.end('done');
      slow.now += 1;
      slow.most = Math.max(slow.most, slow.now);
      setTimeout(() => {
        slow.now -= 1;
        response.end('done');
      }, Math.random() * 20);
    },
  });
  gateway = await startGateway({ environment: { POSTERN_UNSAFE_ALLOW_ADDRESSES: '127.0.0.0/8' } });
  for (const tenant of [NOISY, QUIET]) {
    await control(gateway, 'POST', '/v1/tenants', { body: { name: tenant } });
    const more = { timeouts: { totalMs: 60_000, firstByteMs: 60_000 }, limits: { concurrency: 1_000 } };
    const document = {
      version: 1,
      tenant,
      integrations: range(4).map((index) => integration(`api-${index}`, upstream.url, more)),
      agents: range(4).map((index) => ({ name: `agent-${index}` })),
      rules: [
        { id: 'all', effect: 'allow' },
        { id: 'asks', effect: 'require_approval', paths: ['/held/**'] },
        { id: 'no', effect: 'deny', paths: ['/denied'] },
      ],
      risk: HARDLY_RISKY,
    };
    const applied = await control(gateway, 'POST', '/v1/apply', { tenant, body: document });
    if (applied.status !== 200) throw new Error(applied.text);
    for (const index of range(4)) {
      const issued = await control(gateway, 'POST', `/v1/agents/agent-${index}/keys`, { tenant, body: {} });
      keys[`${tenant}-${index}`] = issued.json().key;
    }
  }
});

afterEach(async () => {
  release();
  for (const tenant of [NOISY, QUIET]) {
    expect((await control(gateway, 'PUT', `/v1/tenants/${tenant}/limits`, { body: {} })).status).toBe(200);
  }
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

function release(): void {
  for (const response of held) response.end('released');
  held = [];
}

async function bound(limits: object, tenant = NOISY): Promise<void> {
  const answer = await control(gateway, 'PUT', `/v1/tenants/${tenant}/limits`, { body: limits });
  if (answer.status !== 200) throw new Error(answer.text);
}

interface Sending {
  readonly tenant?: string;
  readonly agent?: number;
  readonly api?: number;
  readonly body?: string | Uint8Array;
  readonly headers?: Record<string, string>;
}

function send(to: string, { tenant = NOISY, agent = 0, api = 0, body = 'body', headers = {} }: Sending = {}) {
  return call(gateway.dataUrl, `/to/api-${api}${to}`, {
    headers: { 'postern-key': keys[`${tenant}-${agent}`], ...headers },
    body,
  });
}

const usageOf = async (tenant: string) =>
  (await control(gateway, 'GET', `/v1/tenants/${tenant}/limits`)).json().usage as Record<string, number>;
const heldBack = (count: number) =>
  vi.waitFor(() => {
    if (held.length < count) throw new Error(`${held.length} of ${count} are at the upstream`);
  }, 10_000);
const codes = (answers: readonly Answer[]) => answers.map(({ status }) => status).sort();

describe('concurrentCalls', () => {
  test('refuses one call more than may be in progress, of that tenant alone, until one has ended', async () => {
    await bound({ concurrentCalls: 3 });
    const running = range(3).map(() => send('/hang'));
    await heldBack(3);
    const refused = await send('/x');
    expect(refused.problem()).toMatchObject({ status: 503, code: 'overloaded', retryable: true });
    expect(refused.headers['retry-after']).toBe('1');
    // Another agent of it, another integration, the JSON way in: all are the tenant's.
    expect((await send('/x', { agent: 1, api: 1 })).status).toBe(503);
    for (const agent of range(4)) expect((await send('/x', { tenant: QUIET, agent })).status).toBe(200);
    release();
    expect(codes(await Promise.all(running))).toEqual([200, 200, 200]);
    expect((await send('/x')).status).toBe(200);
  });

  test('is given back however a call ends', async () => {
    await bound({ concurrentCalls: 2 });
    for (const to of ['/x', '/denied', '/held/1', '/%2e%2e/x']) await send(to);
    await call(gateway.dataUrl, '/to/nothing/x', { headers: { 'postern-key': keys[`${NOISY}-0`] } });
    await send('/x', { headers: { 'idempotency-key': 'k'.repeat(300) } });
    await call(gateway.dataUrl, '/v1/execute', {
      headers: { 'postern-key': keys[`${NOISY}-0`], 'content-type': 'application/json' },
      body: 'no json',
    });
    // Clients that leave, before and after their request is complete.
    for (const text of ['Content-Length: 5\r\n\r\nab', 'Content-Length: 2\r\n\r\nab'])
      await leave('/to/api-0/hang', text);
    await vi.waitFor(async () => {
      const both = range(2).map(() => send('/hang'));
      try {
        await heldBack(2);
      } finally {
        release();
      }
      expect(codes(await Promise.all(both))).toEqual([200, 200]);
    }, 10_000);
  });

  test('is never exceeded, whatever comes at once', async () => {
    await bound({ concurrentCalls: 5 });
    const tries = await Promise.all(range(80).map((index) => send('/slow', { agent: index % 4, api: index % 4 })));
    expect(slow.most).toBeLessThanOrEqual(5);
    expect(tries.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(5);
    expect([...new Set(codes(tries))]).toEqual([200, 503]);
  });
});

/** Sends a request so far and goes away once the gateway has taken it in. */
async function leave(to: string, rest: string): Promise<void> {
  const { hostname, port } = new URL(gateway.dataUrl);
  const socket = connect(Number(port), hostname);
  const key = keys[`${NOISY}-0`];
  await new Promise((resolve) =>
    socket.write(`POST ${to} HTTP/1.1\r\nHost: localhost\r\nPostern-Key: ${key}\r\n${rest}`, resolve),
  );
  const before = upstream.requests.length;
  // One that is complete goes on to the upstream; of the other nothing shows.
  if (rest.includes('Content-Length: 2')) await upstream.waitForRequests(before + 1);
  socket.destroy();
}

describe('callsPerSecond', () => {
  test('refuses what is more over the whole tenant, tells when to come again, and lets it pass then', async () => {
    await bound({ callsPerSecond: 4 });
    const before = upstream.requests.length;
    const burst = await Promise.all(range(12).map((index) => send('/x', { agent: index % 4, api: index % 4 })));
    expect(burst.filter(({ status }) => status === 200)).toHaveLength(4);
    expect(upstream.requests.length).toBe(before + 4);
    const refused = burst.find(({ status }) => status === 429);
    expect(refused?.problem()).toMatchObject({ code: 'rate_limited', retryAfterSeconds: 1, retryable: true });
    expect(refused?.problem().detail).toContain('tenant');
    expect(refused?.headers['retry-after']).toBe('1');
    expect(refused?.headers['ratelimit-policy']).toBe('"tenant:callsPerSecond";q=4;w=1');
    for (const agent of range(4)) expect((await send('/x', { tenant: QUIET, agent })).status).toBe(200);
    await vi.waitFor(async () => expect((await send('/x')).status).toBe(200), { timeout: 5_000, interval: 100 });
  });

  test('counts what is sent, not what is refused', async () => {
    await bound({ callsPerSecond: 2 });
    for (const _ of range(6)) expect((await send('/denied')).status).toBe(403);
    expect((await send('/x')).status).toBe(200);
  });
});

describe('bodyMemoryBytes', () => {
  test('keeps a tenant’s bodies from filling the memory of all', async () => {
    await bound({ bodyMemoryBytes: 1_048_576 });
    const body = Buffer.alloc(700_000, 'a');
    const running = send('/hang', { body });
    await heldBack(1);
    expect((await send('/x', { body })).problem()).toMatchObject({ status: 503, code: 'overloaded' });
    expect((await send('/x', { body, tenant: QUIET })).status).toBe(200);
    expect((await send('/x', { body: 'small' })).status).toBe(200);
    release();
    expect((await running).status).toBe(200);
    expect((await send('/x', { body })).status).toBe(200);
  });
});

describe('calls that nobody waits for', () => {
  let made = 0;
  const later = (to: string, sending: Sending = {}, key = `later-${++made}`) =>
    send(to, { ...sending, headers: { prefer: 'respond-async', 'idempotency-key': key } });
  /** Until nothing of the tenant is queued or runs. */
  const drained = () =>
    vi.waitFor(async () => {
      release();
      expect((await usageOf(NOISY))['queuedCalls']).toBe(0);
    }, 10_000);

  test('are queued up to queuedCalls, and equal ones count once', async () => {
    await bound({ queuedCalls: 3 });
    const accepted = await Promise.all(range(3).map((index) => later('/hang', {}, `count-${index}`)));
    expect(codes(accepted)).toEqual([202, 202, 202]);
    const refused = await later('/hang');
    expect(refused.problem()).toMatchObject({ status: 503, code: 'overloaded', retryable: true });
    expect(refused.problem().detail).toContain('tenant');
    expect((await later('/hang', {}, 'count-1')).json().call.id).toBe(accepted[1]?.json().call.id);
    expect((await later('/x', { tenant: QUIET })).status).toBe(202);
    await drained();
    expect((await later('/x')).status).toBe(202);
    await drained();
  });

  test('that come at once never exceed it, and leave nothing of those refused', async () => {
    await bound({ queuedCalls: 5 });
    const tries = await Promise.all(range(20).map(() => later('/hang')));
    expect(tries.filter(({ status }) => status === 202)).toHaveLength(5);
    expect(tries.filter(({ status }) => status === 503)).toHaveLength(15);
    const full = await usageOf(NOISY);
    expect(full['queuedCalls']).toBe(5);
    await drained();
    const bytes = (full['sealedBytes'] ?? 0) - (full['queuedBytes'] ?? 0);
    await vi.waitFor(async () => expect((await usageOf(NOISY))['sealedBytes']).toBe(bytes), 5_000);
  });

  test('are queued up to queuedBytes and sealedBytes', async () => {
    const body = Buffer.alloc(30_000, 'a');
    for (const limit of ['queuedBytes', 'sealedBytes']) {
      await bound({ [limit]: 100_000 });
      const tries = await Promise.all(range(6).map(() => later('/hang', { body })));
      const accepted = tries.filter(({ status }) => status === 202).length;
      expect(accepted).toBeGreaterThan(0);
      expect(accepted).toBeLessThanOrEqual(3);
      const usage = await usageOf(NOISY);
      expect(usage[limit]).toBeLessThanOrEqual(100_000);
      expect((await later('/x', { body, tenant: QUIET })).status).toBe(202);
      await drained();
    }
  });

  test('of one tenant leave places to others', async () => {
    await bound({ runningQueuedCalls: 2 });
    const accepted = await Promise.all(range(12).map((index) => later('/hang', { api: index % 4 })));
    expect(codes(accepted)).toEqual(Array(12).fill(202));
    await heldBack(2);
    const quiet = (await later('/x', { tenant: QUIET })).json().call.id as string;
    await vi.waitFor(async () => {
      const headers = { 'postern-key': keys[`${QUIET}-0`] };
      expect((await call(gateway.dataUrl, `/v1/calls/${quiet}`, { headers })).text).toContain('"done"');
    }, 5_000);
    expect(held).toHaveLength(2);
    expect((await usageOf(NOISY))['runningQueuedCalls']).toBe(2);
    await bound({});
    await drained();
  });
});

describe('calls that people must approve', () => {
  test('wait up to pendingApprovals, exactly, whatever comes at once', async () => {
    const { pendingApprovals: before = 0 } = await usageOf(NOISY);
    await bound({ pendingApprovals: before + 3 });
    const tries = await Promise.all(range(12).map((index) => send(`/held/many-${index}`, { agent: index % 4 })));
    expect(tries.filter(({ status }) => status === 428)).toHaveLength(3);
    const refused = tries.find(({ status }) => status === 429);
    expect(refused?.problem()).toMatchObject({ code: 'approval_limit', decision: 'require_approval' });
    expect(refused?.problem().detail).toContain('tenant');
    expect((await usageOf(NOISY))['pendingApprovals']).toBe(before + 3);
    expect((await send('/held/1', { tenant: QUIET })).status).toBe(428);
    // One that waits already is joined.
    const [joined] = tries.flatMap((answer, index) => (answer.status === 428 ? [index] : []));
    expect((await send(`/held/many-${joined}`, { agent: (joined ?? 0) % 4 })).status).toBe(428);
  });

  test('are stored up to sealedBytes, and what is refused leaves nothing', async () => {
    const { sealedBytes: before = 0 } = await usageOf(NOISY);
    await bound({ sealedBytes: before + 150_000 });
    const body = Buffer.alloc(60_000, 'a');
    const tries = await Promise.all(range(6).map((index) => send(`/held/big-${index}`, { agent: 3, body })));
    const waiting = tries.filter(({ status }) => status === 428).length;
    expect(waiting).toBeGreaterThan(0);
    expect(waiting).toBeLessThanOrEqual(2);
    expect(tries.find(({ status }) => status === 429)?.problem()).toMatchObject({ code: 'approval_limit' });
    const { sealedBytes = 0 } = await usageOf(NOISY);
    expect(sealedBytes).toBeLessThanOrEqual(before + 150_000);
    expect(sealedBytes).toBeGreaterThanOrEqual(before + waiting * 60_000);
    expect(sealedBytes).toBeLessThan(before + waiting * 61_000);
  });
});

describe('a tenant that is disabled', () => {
  const disable = (disabled: boolean) => control(gateway, 'PATCH', `/v1/tenants/${QUIET}`, { body: { disabled } });

  test('has its calls and administrators refused, keeps all it has, and is served again when it is enabled', async () => {
    const admin = { name: 'quiet-admin', role: 'admin', tenant: QUIET };
    const { token } = (await control(gateway, 'POST', '/v1/admins', { body: admin })).json();
    const { id } = (await send('/held/kept', { tenant: QUIET })).problem().approval ?? { id: '' };
    const queued = (
      await send('/x', { tenant: QUIET, headers: { prefer: 'respond-async', 'idempotency-key': 'kept' } })
    ).json();
    expect((await disable(true)).json()).toMatchObject({ disabled: true });
    const headers = { 'postern-key': keys[`${QUIET}-0`] };
    for (const [method, to] of [
      ['GET', '/to/api-0/x'],
      ['GET', '/v1/whoami'],
      ['GET', '/v1/integrations'],
      ['GET', `/v1/approvals/${id}`],
      ['POST', `/v1/approvals/${id}/execute`],
      ['GET', `/v1/calls/${queued.call.id}`],
    ]) {
      const answer = await call(gateway.dataUrl, to as string, { method: method as string, headers });
      expect(answer.problem()).toMatchObject({ status: 403, code: 'agent_disabled' });
    }
    expect((await control(gateway, 'GET', '/v1/agents', { token })).problem()).toMatchObject({
      status: 403,
      code: 'forbidden',
    });
    expect((await send('/x')).status).toBe(200);
    expect((await control(gateway, 'GET', '/v1/agents', { tenant: QUIET })).json().items).toHaveLength(4);
    expect((await disable(false)).status).toBe(200);
    expect((await send('/x', { tenant: QUIET })).status).toBe(200);
    expect((await call(gateway.dataUrl, `/v1/approvals/${id}`, { headers })).json()).toMatchObject({
      status: 'pending',
    });
    expect((await control(gateway, 'GET', '/v1/agents', { token })).status).toBe(200);
  });
});

test('the command line shows, sets and takes back limits, disables and enables', async () => {
  const run = (...args: string[]) => postern(gateway, args);
  const shown = await run('tenants', 'limits', NOISY, '--set', 'agents=9', '--set', 'callsPerSecond=1000');
  expect(shown.code).toBe(0);
  expect(shown.out).toMatch(/agents +9 +4 +Agents/);
  expect((await run('tenants', 'limits', NOISY, '--unset', 'callsPerSecond', '--json')).json()).toMatchObject({
    tenant: NOISY,
    limits: { agents: 9 },
    usage: { agents: 4 },
  });
  const wrong = await run('tenants', 'limits', NOISY, '--set', 'everything=1');
  expect([wrong.code, wrong.notes]).toEqual([2, expect.stringContaining('there is no limit everything')]);
  expect((await run('tenants', 'limits', NOISY, '--set', 'agents=0')).code).toBe(1);
  expect((await run('tenants', 'limits', 'nobody')).code).toBe(1);
  expect((await run('tenants', 'disable', QUIET)).out).toContain('Disabled tenant quiet');
  expect((await run('tenants', 'list')).out).toMatch(/quiet +yes/);
  expect((await run('tenants', 'enable', QUIET)).code).toBe(0);
  expect((await run('tenants', 'show', QUIET, '--json')).json()).toMatchObject({ name: QUIET, disabled: false });
});
