import { generateAgentKey, keyDigest } from '@postern/auth';
import type { ApprovalRecord, ApprovalsPort, GrantTerms } from '@postern/db/ports';
import { agentSchema, type Integration, integrationSchema, type Rule } from '@postern/schemas';
import { startUpstream, type Upstream } from '@postern/testing';
import { deriveKeys } from '@postern/vault';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Answer, type CallOptions, call, postJson } from '../client.fixture.ts';
import { TENANT, type TestGateway, type TestGatewayOptions } from '../gateway.fixture.ts';
import { startOn } from '../refused-call.fixture.ts';

let upstream: Upstream;
let gateway: TestGateway;
/** Requests of earlier tests. */
let seen = 0;

beforeAll(async () => {
  upstream = await startUpstream();
});

afterAll(async () => {
  await upstream?.close();
});

afterEach(async () => {
  await gateway?.close();
});

const ASKING = { id: 'ask', effect: 'require_approval' as const };

const start = async (options: TestGatewayOptions = {}, integration: object = {}) => {
  gateway = await startOn(upstream.port, { rules: [ASKING], ...options }, integration);
  seen = upstream.requests.length;
  upstream.answerWith((_request, response) => void response.writeHead(201).end('made'));
};

const sent = () => upstream.requests.slice(seen);

const pay = (body = 'amount=5', headers: CallOptions['headers'] = {}) =>
  call(gateway, '/to/api/pay', { body, headers: { 'content-type': 'text/plain', ...headers } });

async function approve(id: string, grant: Partial<GrantTerms> & Pick<GrantTerms, 'kind'> = { kind: 'once' }) {
  const now = Date.now();
  await gateway.repositories.approvals.addVote(TENANT, id, { by: 'alice', groups: [], at: now });
  const terms = { expiresAt: now + 600_000, ...grant } as GrantTerms;
  const change = { to: 'approved', by: 'alice', at: now, executeUntil: now + 600_000, grant: terms } as const;
  await gateway.repositories.approvals.transition(TENANT, id, change);
  gateway.gateway.approvalWatch.notify(id);
}

/** A standing grant for what `pay` does, whatever its body. */
const STANDING = { kind: 'rule', scope: { integration: 'api', method: 'POST', path: '/pay' } } as const;

const heldBy = (answer: Answer): string => {
  expect(answer.problem()).toMatchObject({ status: 428, code: 'approval_required' });
  return answer.problem().approval?.id ?? '';
};
const own = (id: string) => call(gateway, `/v1/approvals/${id}`);
const execute = (id: string) => postJson(gateway, `/v1/approvals/${id}/execute`, {});

async function recordOf(id: string): Promise<ApprovalRecord> {
  await gateway.journal.flush();
  return (await gateway.repositories.approvals.getById(TENANT, id, Date.now())) as ApprovalRecord;
}

async function grantsOf(id: string) {
  await gateway.journal.flush();
  return await gateway.repositories.grants.listByApproval(TENANT, id, Date.now());
}

const addRule = (rule: Partial<Rule> & Pick<Rule, 'id' | 'effect'>) =>
  gateway.change((context) => gateway.repositories.policyRules.createPolicyRule(TENANT, rule as Rule, 'api', context));

/** Runs `then` each time a port's method has done its work, before its caller hears of it. */
function after<Name extends keyof ApprovalsPort>(name: Name, then: () => Promise<void>): void {
  const { approvals } = gateway.gateway;
  const method = approvals[name] as (...parameters: unknown[]) => Promise<unknown>;
  const wrapped = async (...parameters: unknown[]) => {
    const result = await method(...parameters);
    await then();
    return result;
  };
  Object.assign(gateway.gateway, { approvals: { ...approvals, [name]: wrapped } });
}

describe('a call that waits for a person', () => {
  test('leaves nothing behind when its caller leaves', async () => {
    await start();
    const gone = new AbortController();
    const waiting = fetch(`${gateway.url}/to/api/pay`, {
      method: 'POST',
      body: 'amount=5',
      headers: { 'postern-key': gateway.key, prefer: 'wait=60' },
      signal: gone.signal,
    });
    await vi.waitFor(() => expect(gateway.gateway.approvalWatch.size).toBe(1));
    gone.abort();
    await expect(waiting).rejects.toThrow();
    await gateway.waitForCalls(1);
    expect(gateway.gateway.approvalWatch.size).toBe(0);
    expect(gateway.calls[0]).toMatchObject({ status: 428, code: 'approval_required' });
  });

  test('does not wait when its caller has left before', async () => {
    await start();
    const gone = new AbortController();
    const closed = Promise.withResolvers<void>();
    gateway.server.on('connection', (socket) => socket.on('close', () => closed.resolve()));
    after('createFromCanonicalDescriptor', async () => {
      gone.abort();
      await closed.promise;
    });
    const waiting = fetch(`${gateway.url}/to/api/pay`, {
      method: 'POST',
      body: 'amount=5',
      headers: { 'postern-key': gateway.key, prefer: 'wait=60' },
      signal: gone.signal,
    });
    await expect(waiting).rejects.toThrow();
    await gateway.waitForCalls(1);
    expect(gateway.gateway.approvalWatch.size).toBe(0);
    expect(performance.now() - (gateway.calls[0]?.startedMs ?? 0)).toBeLessThan(20_000);
  });

  test('goes on at once when it was approved while nobody listened', async () => {
    await start();
    after('createFromCanonicalDescriptor', async () => {
      const { items } = await gateway.repositories.approvals.list(TENANT, {}, { limit: 1, nowMs: Date.now() });
      await approve(items[0]?.id ?? '');
    });
    const startedMs = performance.now();
    expect((await pay('amount=5', { prefer: 'wait=10' })).text).toBe('made');
    expect(performance.now() - startedMs).toBeLessThan(700);
  });

  test('hears of a decision that falls between two looks', async () => {
    await start();
    let looks = 0;
    after('getById', async () => {
      looks += 1;
      if (looks !== 1) return;
      const { items } = await gateway.repositories.approvals.list(TENANT, {}, { limit: 1, nowMs: Date.now() });
      await approve(items[0]?.id ?? '');
    });
    const startedMs = performance.now();
    expect((await pay('amount=5', { prefer: 'wait=10' })).text).toBe('made');
    // The first look may come a second after the start, when nobody has said a word until then.
    expect(performance.now() - startedMs).toBeLessThan(700);
  });

  test.each([-3_600_000, 3_600_000])('waits as long as it said when the clock jumps by %i ms', async (jumpMs) => {
    let shiftMs = 0;
    await start({ now: () => Date.now() + shiftMs });
    after('createFromCanonicalDescriptor', async () => {
      shiftMs = jumpMs;
    });
    const startedMs = performance.now();
    const answer = await pay('amount=5', { prefer: 'wait=1' });
    // Forward, the approval has expired by the clock of all.
    expect(answer.status).toBe(jumpMs < 0 ? 428 : 410);
    expect(performance.now() - startedMs).toBeLessThan(5_000);
  });

  test('by the hundred, joined to one approval, sends one request', async () => {
    await start();
    const waiting = Array.from({ length: 100 }, () => pay('amount=5', { prefer: 'wait=30' }));
    await vi.waitFor(() => expect(gateway.gateway.approvalWatch.size).toBe(100), { timeout: 10_000 });
    const { items } = await gateway.repositories.approvals.list(TENANT, {}, { limit: 10, nowMs: Date.now() });
    expect(items).toHaveLength(1);
    await approve(items[0]?.id ?? '');
    await upstream.waitForRequests(seen + 1);
    // Others were told that the call is running, or ask anew: they are called off.
    await vi.waitFor(async () => {
      await addRule({ id: `no-${performance.now()}`, effect: 'deny' });
      const { items: next } = await gateway.repositories.approvals.list(
        TENANT,
        { status: 'pending' },
        { limit: 10, nowMs: Date.now() },
      );
      for (const { id } of next) await approve(id);
      expect(gateway.gateway.approvalWatch.size).toBe(0);
    });
    const codes = (await Promise.all(waiting)).map((answer) => (answer.status === 201 ? 'made' : answer.json().code));
    expect(codes.filter((code) => code === 'made')).toHaveLength(1);
    for (const code of codes) expect(['made', 'in_flight', 'denied']).toContain(code);
    expect(sent()).toHaveLength(1);
    expect(gateway.gateway.approvalWatch.size).toBe(0);
  });
});

describe('an approval', () => {
  test('is used up by its execution also when policy would let the call pass by then', async () => {
    await start();
    const id = heldBy(await pay());
    await approve(id);
    await gateway.change(async (context) => {
      await gateway.repositories.policyRules.disablePolicyRule(TENANT, 'ask', Date.now(), context);
      await gateway.repositories.policyRules.createPolicyRule(
        TENANT,
        { id: 'all', effect: 'allow' } as Rule,
        'api',
        context,
      );
    });
    expect((await execute(id)).json()).toMatchObject({ status: 201, bodyText: 'made' });
    expect((await recordOf(id)).status).toBe('executed');
    expect(await grantsOf(id)).toMatchObject([{ state: 'spent' }]);
    expect((await execute(id)).json()).toMatchObject({ idempotency: 'replayed' });
    expect(sent()).toHaveLength(1);
  });

  test('whose grant was revoked executes nothing, also when policy would let the call pass by then', async () => {
    await start();
    const id = heldBy(await pay());
    await approve(id);
    const [grant] = await grantsOf(id);
    await gateway.repositories.grants.revoke(TENANT, grant?.id ?? '', { by: 'alice', at: Date.now() });
    await addRule({ id: 'all', effect: 'allow' });
    expect((await execute(id)).json()).toMatchObject({ status: 410, code: 'approval_expired' });
    expect(sent()).toHaveLength(0);
  });

  test('with a standing grant is not executed by another call that the grant covers', async () => {
    await start();
    const id = heldBy(await pay());
    await approve(id, STANDING as Partial<GrantTerms> & { kind: 'rule' });
    expect((await pay('amount=6')).text).toBe('made');
    expect((await recordOf(id)).status).toBe('approved');
    expect((await execute(id)).json()).toMatchObject({ status: 201, bodyText: 'made' });
    expect((await recordOf(id)).status).toBe('executed');
    expect(sent().map(({ body }) => Buffer.from(body).toString())).toEqual(['amount=6', 'amount=5']);
  });

  test('with a standing grant is not undone by another call for which more people are asked', async () => {
    await start();
    const id = heldBy(await pay());
    await approve(id, STANDING as Partial<GrantTerms> & { kind: 'rule' });
    const terms = { approvers: 2, groups: [], pendingSeconds: 900, executeSeconds: 600, grant: 'once' as const };
    await addRule({
      ...{ id: 'two', effect: 'require_approval', approval: terms },
      when: '"x-large" in request.headers',
    });
    expect(heldBy(await pay('amount=9', { 'x-large': '1' }))).not.toBe(id);
    expect((await recordOf(id)).status).toBe('approved');
    expect((await pay()).text).toBe('made');
  });

  test('gives its stored answer by its id, whichever key its execution was claimed under', async () => {
    await start();
    const id = heldBy(await pay('amount=5', { 'idempotency-key': 'k-1' }));
    await approve(id);
    expect((await pay()).text).toBe('made');
    expect((await own(id)).json()).toMatchObject({ status: 'executed', result: { outcome: 'executed', status: 201 } });
    expect((await execute(id)).json()).toMatchObject({ idempotency: 'replayed', bodyText: 'made' });
    expect(sent()).toHaveLength(1);
  });

  test('stands when its secret has a new version, and does not hold for another secret', async () => {
    await start();
    const id = heldBy(await pay());
    await approve(id);
    await gateway.change((context) => gateway.writeSecret('token', 'secret-of-the-second-version', context));
    await gateway.change((context) => gateway.writeSecret('other', 'secret-of-somebody-else', context));
    const found = await gateway.repositories.integrations.getByName(TENANT, 'api');
    if (found === undefined) throw new Error('there is no integration');
    const use = (spec: Integration) =>
      gateway.change((context) => gateway.repositories.integrations.update(TENANT, found.id, spec, {}, context));
    await use(integrationSchema.parse({ ...found.spec, credential: { type: 'bearer', secret: 'other' } }));
    expect((await execute(id)).json()).toMatchObject({ status: 410, code: 'approval_expired' });
    const other = heldBy(await pay());
    expect(other).not.toBe(id);
    await use(found.spec);
    expect((await execute(id)).json()).toMatchObject({ status: 201 });
    expect(sent()[0]?.headers['authorization']).toBe('Bearer secret-of-the-second-version');
  });

  test('spends its grant on a 429 of the upstream, and is executed', async () => {
    await start();
    const id = heldBy(await pay());
    await approve(id);
    upstream.answerWith((_request, response) => void response.writeHead(429).end('slow down'));
    expect((await pay()).status).toBe(429);
    expect((await recordOf(id)).status).toBe('executed');
    expect(heldBy(await pay())).not.toBe(id);
    expect((await execute(id)).status).toBe(409);
    expect(sent()).toHaveLength(1);
  });

  test.each([
    ['response_too_large', { limits: { responseBytes: 10 } }, (n: number) => ({ body: Buffer.alloc(n, 'x') })],
    ['redirect_refused', {}, () => ({ location: 'https://elsewhere.example/' })],
  ])('has failed after %s, and nothing is sent again', async (code, integration, answer) => {
    await start({}, integration);
    const id = heldBy(await pay());
    await approve(id);
    const { body, location } = answer(100) as { body?: Buffer; location?: string };
    upstream.answerWith((_request, response) => {
      response.writeHead(location === undefined ? 200 : 302, location === undefined ? {} : { location });
      response.end(body);
    });
    expect((await execute(id)).json()).toMatchObject({ code });
    expect((await recordOf(id)).status).toBe('failed');
    expect((await execute(id)).json()).toMatchObject({ code });
    expect((await own(id)).json()).toMatchObject({ status: 'failed', result: { outcome: 'failed', code } });
    expect(sent()).toHaveLength(1);
  });

  test('is given back when nothing could be sent', async () => {
    const refused = await startUpstream();
    await refused.close();
    await start({}, { baseUrl: `http://upstream.test:${refused.port}`, retry: { attempts: 1 } });
    const id = heldBy(await pay());
    await approve(id);
    expect((await execute(id)).json()).toMatchObject({ status: 502, code: 'upstream_unavailable' });
    expect((await recordOf(id)).status).toBe('approved');
    expect(await grantsOf(id)).toMatchObject([{ state: 'usable', usesLeft: 1 }]);
    expect((await execute(id)).json()).toMatchObject({ status: 502, code: 'upstream_unavailable' });
  });

  test('that is executed by many at once and by equal calls sends one request', async () => {
    await start();
    upstream.answerWith((_request, response) => void setTimeout(() => response.writeHead(201).end('made'), 50));
    const id = heldBy(await pay());
    await approve(id);
    const answers = await Promise.all(Array.from({ length: 60 }, (_, n) => (n % 2 === 0 ? execute(id) : pay())));
    expect(sent()).toHaveLength(1);
    for (const answer of answers) {
      if (answer.status === 200 || answer.status === 201) continue;
      expect(['in_flight', 'approval_required']).toContain(answer.json().code);
    }
  });

  test('is not asked for by a body that passes as it comes', async () => {
    await start({}, { actions: [{ name: 'upload', methods: ['POST'], paths: ['/pay'], body: 'stream' }] });
    expect((await pay()).json()).toMatchObject({ status: 400, code: 'target_invalid' });
    expect((await pay('x', { 'idempotency-key': 'k' })).json()).toMatchObject({ status: 400, code: 'target_invalid' });
    expect(sent()).toHaveLength(0);
  });

  test('of another agent, or of nobody, is not there', async () => {
    await start();
    const id = heldBy(await pay());
    await approve(id);
    const { key } = await otherAgentsKey();
    const asOther = (path: string, method: string) =>
      call({ port: gateway.port, key }, path, { method, headers: { 'content-length': 0 } });
    for (const [path, method] of [
      [`/v1/approvals/${id}`, 'GET'],
      [`/v1/approvals/${id}`, 'DELETE'],
      [`/v1/approvals/${id}/execute`, 'POST'],
      ['/v1/approvals/%2e%2e/execute', 'POST'],
    ] as const)
      expect((await asOther(path, method)).json()).toMatchObject({ status: 404, code: 'unknown_approval' });
    const theirs = await call({ port: gateway.port, key }, '/to/api/pay', {
      body: 'amount=5',
      headers: { 'content-type': 'text/plain' },
    });
    expect(heldBy(theirs)).not.toBe(id);
    expect(sent()).toHaveLength(0);
  });
});

async function otherAgentsKey(): Promise<{ key: string }> {
  const made = generateAgentKey();
  const { id: agentId } = await gateway.repositories.agents.create(TENANT, agentSchema.parse({ name: 'other' }), 'api');
  const [hmacKey] = deriveKeys(gateway.keyRing, 'agent-key');
  if (hmacKey === undefined) throw new Error('there is no key');
  const { digest, keyId } = keyDigest(made.key, hmacKey);
  await gateway.change((context) =>
    gateway.repositories.agents.createKey(
      {
        ...{ tenant: TENANT, id: made.publicId, agentId, digestKeyId: keyId, scopes: ['call'], origin: 'api' },
        digest: Buffer.from(digest).toString('base64'),
      },
      context,
    ),
  );
  return { key: made.key };
}
