import { INSTANCE_SCOPE } from '@postern/db';
import type { GrantTerms } from '@postern/db/ports';
import { agentSchema, integrationSchema } from '@postern/schemas';
import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { call } from '../client.fixture.ts';
import { TENANT } from '../gateway.fixture.ts';
import { type QueueOptions, type QueueScene, startQueue } from './queued-calls.fixture.ts';

let upstream: Upstream;
let scene: QueueScene;
/** Milliseconds by which the gateway's clock is ahead. */
let aheadMs = 0;

beforeAll(async () => {
  upstream = await startUpstream();
});

afterAll(async () => {
  await upstream?.close();
});

afterEach(async () => {
  aheadMs = 0;
  await scene?.[Symbol.asyncDispose]();
});

/** Nothing is taken out of the queue before `work`. */
const start = async (options: QueueOptions = {}, integration: object = {}) => {
  scene = await startQueue(upstream, { isWorking: false, now: () => Date.now() + aheadMs, ...options }, integration);
};

const WAITING = { prefer: 'wait=0' };

/** Runs the queued call, which must come to nothing, and gives its problem. */
async function refusedRun(id: string) {
  scene.work();
  const { problem, result } = await scene.done(id);
  expect(result).toBeUndefined();
  expect(scene.sent()).toHaveLength(0);
  return problem;
}

describe('the agent of a queued call', () => {
  const disable = async () => {
    const { gateway } = scene;
    const agent = agentSchema.parse({ name: 'coder', trust: 'medium', disabled: true });
    await gateway.change((context) => gateway.repositories.agents.update(TENANT, gateway.agentId, agent, {}, context));
  };
  const moveAway = async () => {
    const { gateway } = scene;
    const agent = agentSchema.parse({ name: 'coder', trust: 'medium', addresses: ['10.0.0.0/8'] });
    await gateway.change((context) => gateway.repositories.agents.update(TENANT, gateway.agentId, agent, {}, context));
  };
  const revoke = () =>
    scene.gateway.change((context) =>
      scene.gateway.repositories.agents.revokeKey(TENANT, scene.gateway.keyId, Date.now(), context),
    );
  const revokeElsewhere = () =>
    scene.gateway.changeElsewhere((context) =>
      scene.gateway.repositories.agents.revokeKey(TENANT, scene.gateway.keyId, Date.now(), context),
    );
  const remove = () =>
    scene.gateway.change((context) => scene.gateway.repositories.agents.remove(TENANT, scene.gateway.agentId, context));

  test.each<[string, () => Promise<unknown>, string]>([
    ['disabled', disable, 'agent_disabled'],
    ['kept to other addresses', moveAway, 'address_not_allowed'],
    ['without its key, which was revoked', revoke, 'unauthenticated'],
    ['without its key, which was revoked elsewhere', revokeElsewhere, 'unauthenticated'],
    ['removed', remove, 'unauthenticated'],
  ])('is looked at as it is now: %s', async (_state, change, code) => {
    await start();
    const id = await scene.queue('k-1');
    await change();
    scene.work();
    await expect
      .poll(async () => (await scene.gateway.repositories.queuedCalls.getById(TENANT, id))?.result, { timeout: 5_000 })
      .toMatchObject({ kind: 'problem', code });
    expect(scene.sent()).toHaveLength(0);
    // Told of under its tenant and its name, and the key is free.
    const [refusal] = await scene.gateway.entries({ type: 'denied' });
    expect(refusal).toMatchObject({ agent: 'coder', integration: 'api', code });
    expect(await scene.gateway.db.points(INSTANCE_SCOPE).selectFrom('claims').select('key').execute()).toEqual([]);
    expect(await scene.gateway.db.points(INSTANCE_SCOPE).selectFrom('sealed_requests').select('id').execute()).toEqual(
      [],
    );
  });

  test('may have got another key; the one that asked counts', async () => {
    await start();
    const id = await scene.queue('k-1');
    const { key } = await scene.gateway.issueKey();
    await revoke();
    scene.work();
    const asking = () => call({ port: scene.gateway.port, key }, `/v1/calls/${id}`);
    await expect.poll(async () => (await asking()).json().problem?.code, { timeout: 5_000 }).toBe('unauthenticated');
  });

  test('has a key that ended meanwhile', async () => {
    await start();
    const { key } = await scene.gateway.issueKey(undefined, Date.now() + 30_000);
    const own = { headers: { 'postern-key': key } };
    const id = scene.idOf(await scene.send('k-1', 'a', own));
    aheadMs = 30_000;
    expect(await refusedRun(id)).toMatchObject({ status: 401, code: 'unauthenticated' });
  });
});

describe('policy and configuration', () => {
  test('are those of the time when it runs: a call that is denied by now is not sent', async () => {
    await start();
    const id = await scene.queue('k-1');
    await scene.addRule('no', { effect: 'deny' });
    expect(await refusedRun(id)).toMatchObject({ status: 403, code: 'denied', decision: 'deny' });
    expect((await scene.send('k-1')).json()).toMatchObject({ code: 'denied' });
  });

  test('that come to ask for a person end it with the approval, and it passes once when that is given', async () => {
    await start();
    const id = await scene.queue('k-1');
    await scene.addRule('ask', { effect: 'require_approval' });
    const problem = await refusedRun(id);
    expect(problem).toMatchObject({
      status: 428,
      code: 'approval_required',
      decision: 'require_approval',
      approval: { id: expect.any(String), status: 'pending', statusUrl: expect.stringContaining('/v1/approvals/') },
    });
    await approve(problem.approval.id);
    expect((await scene.stateOf(id)).json().problem.approval.status).toBe('approved');
    const passed = await scene.send('k-1');
    expect([passed.status, passed.text]).toEqual([201, 'made']);
    expect(scene.sent()).toHaveLength(1);
  });

  test('do not change what came of a call that was sent already', async () => {
    await start();
    const id = await scene.queue('k-1');
    expect((await scene.send('k-1', 'a', { headers: WAITING })).text).toBe('made');
    await scene.addRule('no', { effect: 'deny' });
    scene.work();
    expect((await scene.done(id)).result).toMatchObject({ status: 201, bodyText: 'made' });
    expect(scene.sent()).toHaveLength(1);
  });

  test('that make another call of it: it is not sent', async () => {
    await start();
    const id = await scene.queue('k-1');
    await scene.gateway.change(async (context) => {
      const { integrations } = scene.gateway.repositories;
      const found = await integrations.getByName(TENANT, 'api', context);
      if (found === undefined) throw new Error('no integration');
      const spec = integrationSchema.parse({ ...found.spec, credential: { type: 'none' } });
      await integrations.update(TENANT, found.id, spec, {}, context);
    });
    expect(await refusedRun(id)).toMatchObject({ status: 422, code: 'idempotency_key_mismatch' });
    // The key is free for the call as it is now.
    expect((await scene.send('k-1', 'a', { headers: WAITING })).text).toBe('made');
  });

  test('that have no such integration any more', async () => {
    await start();
    const id = await scene.queue('k-1');
    await scene.gateway.change(async (context) => {
      const { integrations } = scene.gateway.repositories;
      const found = await integrations.getByName(TENANT, 'api', context);
      await integrations.remove(TENANT, found?.id ?? '', context);
    });
    expect(await refusedRun(id)).toMatchObject({ status: 404, code: 'unknown_integration' });
  });

  async function approve(id: string) {
    const { approvals } = scene.gateway.repositories;
    const now = Date.now();
    await approvals.addVote(TENANT, id, { by: 'alice', groups: [], at: now });
    const grant = { kind: 'once', expiresAt: now + 600_000 } as GrantTerms;
    const change = { to: 'approved', by: 'alice', at: now, executeUntil: now + 600_000, grant } as const;
    expect((await approvals.transition(TENANT, id, change)).isDone).toBe(true);
  }
});

describe('a rate limit', () => {
  const limited = {
    rules: [
      { id: 'all', effect: 'allow' as const },
      { id: 'pace', effect: 'rate_limit' as const, limit: { requests: 2, perSeconds: 1, per: ['agent'] as ['agent'] } },
    ],
  };

  test('is spent when a call is sent; what is over it waits in the queue, and nothing is told of that', async () => {
    await start(limited);
    const ids: string[] = [];
    for (let count = 0; count < 6; count += 1) ids.push(await scene.queue(`k-${count}`));
    const began = Date.now();
    scene.work();
    for (const id of ids) expect((await scene.done(id, 15_000)).result).toMatchObject({ status: 201 });
    expect(scene.sent()).toHaveLength(6);
    expect(Date.now() - began).toBeGreaterThan(1_000);
    expect(await scene.gateway.entries({ type: 'denied' })).toEqual([]);
    expect(scene.gateway.calls.filter(({ code }) => code === 'rate_limited')).toEqual([]);
  });

  test('that is spent leaves a call queued, to be cancelled', async () => {
    await start({
      rules: [
        limited.rules[0] ?? {},
        { ...limited.rules[1], limit: { requests: 1, perSeconds: 3_600, per: ['agent'] } },
      ],
    });
    scene.work();
    await scene.done(await scene.queue('k-1'));
    const id = await scene.queue('k-2');
    await expect
      .poll(async () => scene.gateway.repositories.queuedCalls.getById(TENANT, id), { timeout: 5_000 })
      .toMatchObject({ attempts: 1, state: 'queued' });
    expect((await scene.cancel(id)).status).toBe(204);
    expect(scene.sent()).toHaveLength(1);
  });
});

describe('a key whose time is over', () => {
  test('ends its call, which is not sent, and is new', async () => {
    await start({}, { idempotency: { ttlSeconds: 60 } });
    const id = await scene.queue('k-1');
    aheadMs = 59_000;
    expect(await scene.queue('k-1')).toBe(id);
    aheadMs = 60_000;
    const other = await scene.queue('k-1', 'b');
    expect(other).not.toBe(id);
    scene.work();
    expect((await scene.done(id)).problem).toMatchObject({ status: 503, code: 'overloaded', retryable: true });
    expect((await scene.done(other)).result).toMatchObject({ bodyText: 'made' });
    expect(scene.sent().map(({ body }) => Buffer.from(body).toString())).toEqual(['b']);
  });

  test('takes the result with it', async () => {
    await start({}, { idempotency: { ttlSeconds: 60 } });
    scene.work();
    const id = await scene.queue('k-1');
    await scene.done(id);
    const { queuedCalls } = scene.gateway.repositories;
    expect(await queuedCalls.sweep(Date.now() + 55_000, 10)).toBe(0);
    expect(await queuedCalls.sweep(Date.now() + 60_000, 10)).toBe(1);
    expect((await scene.stateOf(id)).json()).toMatchObject({ status: 404, code: 'not_found' });
  });
});
