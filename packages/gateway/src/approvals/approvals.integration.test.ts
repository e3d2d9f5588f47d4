import type { ApprovalRecord, GrantTerms } from '@postern/db/ports';
import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
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

const ASKING = [{ id: 'ask', effect: 'require_approval' as const }];

const start = async (options: TestGatewayOptions = {}, integration: object = {}) => {
  gateway = await startOn(upstream.port, { rules: ASKING, ...options }, integration);
  seen = upstream.requests.length;
  upstream.answerWith((_request, response) => void response.writeHead(201).end('made'));
};

const sent = () => upstream.requests.slice(seen);

const pay = (body = 'amount=5', options: CallOptions = {}) =>
  call(gateway, '/to/api/pay', { body, ...options, headers: { 'content-type': 'text/plain', ...options.headers } });

/** What a person at the control plane does. */
async function approve(id: string, grant: Partial<GrantTerms> & Pick<GrantTerms, 'kind'> = { kind: 'once' }) {
  const now = Date.now();
  await gateway.repositories.approvals.addVote(TENANT, id, { by: 'alice', groups: [], at: now });
  const terms = { expiresAt: now + 600_000, ...grant } as GrantTerms;
  const change = { to: 'approved', by: 'alice', at: now, executeUntil: now + 600_000, grant: terms } as const;
  const { isDone } = await gateway.repositories.approvals.transition(TENANT, id, change);
  gateway.gateway.approvalWatch.notify(id);
  return isDone;
}

async function deny(id: string) {
  const change = { to: 'denied', by: 'alice', at: Date.now(), reason: 'no' } as const;
  await gateway.repositories.approvals.transition(TENANT, id, change);
  gateway.gateway.approvalWatch.notify(id);
}

const heldBy = (answer: Answer): string => {
  expect(answer.problem()).toMatchObject({ status: 428, code: 'approval_required', decision: 'require_approval' });
  return answer.problem().approval?.id ?? '';
};
const own = (path: string, method = 'GET') => call(gateway, `/v1/approvals/${path}`, { method });
const execute = (id: string) => postJson(gateway, `/v1/approvals/${id}/execute`, {});
async function recordOf(id: string): Promise<ApprovalRecord> {
  await gateway.journal.flush();
  return (await gateway.repositories.approvals.getById(TENANT, id, Date.now())) as ApprovalRecord;
}

describe('a call that a person must approve', () => {
  test('that is sent again under another key than it was held with is told of by its id all the same', async () => {
    await start();
    const keyed = (key: string) => pay('amount=5', { headers: { 'idempotency-key': key } });
    const id = heldBy(await keyed('first'));
    await approve(id);
    expect((await keyed('second')).text).toBe('made');
    await recordOf(id);
    expect((await own(id)).json()).toMatchObject({ status: 'executed', result: { outcome: 'executed', status: 201 } });
    expect((await execute(id)).json()).toMatchObject({ status: 201, bodyText: 'made', idempotency: 'replayed' });
    expect(sent()).toHaveLength(1);
  });

  test('is held, and passes once when it was approved; the next one asks again', async () => {
    await start();
    const id = heldBy(await pay());
    expect(sent()).toHaveLength(0);
    expect(heldBy(await pay())).toBe(id);
    expect((await own(id)).json()).toMatchObject({ id, status: 'pending', summary: expect.stringContaining('POST') });
    await approve(id);
    expect((await pay()).text).toBe('made');
    expect(sent()).toHaveLength(1);
    expect((await recordOf(id)).status).toBe('executed');
    const again = heldBy(await pay());
    expect(again).not.toBe(id);
    expect(sent()).toHaveLength(1);
    const [intent] = await gateway.entries({ type: 'intent' });
    expect(intent).toMatchObject({ approval: id, grant: expect.any(String), decision: 'require_approval' });
  });

  test('asks again when its body, a header of it or its target is another', async () => {
    await start();
    const id = heldBy(await pay());
    await approve(id);
    expect(heldBy(await pay('amount=6'))).not.toBe(id);
    expect(heldBy(await pay('amount=5', { headers: { 'x-more': '1' } }))).not.toBe(id);
    expect(heldBy(await call(gateway, '/to/api/pay?x', { body: 'amount=5' }))).not.toBe(id);
    expect(sent()).toHaveLength(0);
  });

  test('is sent as it was approved, volatile fields too', async () => {
    await start();
    const id = heldBy(await pay('amount=5', { headers: { 'user-agent': 'first' } }));
    await approve(id);
    await pay('amount=5', { headers: { 'user-agent': 'second' } });
    expect(sent()[0]?.headers['user-agent']).toBe('first');
    expect(Buffer.from(sent()[0]?.body ?? []).toString()).toBe('amount=5');
  });

  test('is executed by its id from the stored request, once, and its answer given again', async () => {
    await start();
    const id = heldBy(await pay());
    expect((await execute(id)).json()).toMatchObject({ status: 428, code: 'approval_required' });
    await approve(id);
    const answers = await Promise.all([execute(id), execute(id), execute(id)]);
    expect(sent()).toHaveLength(1);
    const done = answers.filter((answer) => answer.status === 200);
    expect(done.length).toBeGreaterThan(0);
    expect(done[0]?.json()).toMatchObject({ status: 201, bodyText: 'made', idempotency: expect.any(String) });
    for (const answer of answers) if (answer.status !== 200) expect(answer.json().code).toBe('in_flight');
    expect((await execute(id)).json()).toMatchObject({ status: 201, bodyText: 'made', idempotency: 'replayed' });
    expect((await own(id)).json()).toMatchObject({ status: 'executed', result: { outcome: 'executed', status: 201 } });
    expect(sent()).toHaveLength(1);
  });

  test('with a large body is executed from the stored request, byte for byte', async () => {
    await start();
    const body = 'x'.repeat(3_000_000);
    const id = heldBy(await pay(body));
    await approve(id);
    expect((await execute(id)).status).toBe(200);
    expect(sent()[0]?.body?.byteLength).toBe(3_000_000);
  });

  test('waits for the decision as long as it says, and goes on at once', async () => {
    await start();
    const waiting = pay('amount=5', { headers: { prefer: 'wait=10' } });
    const id = await pendingId();
    const decidedAt = performance.now();
    await approve(id);
    expect((await waiting).text).toBe('made');
    expect(performance.now() - decidedAt).toBeLessThan(250);
    expect(sent()[0]?.headers).not.toHaveProperty('prefer');
    const denied = pay('amount=6', { headers: { prefer: 'wait=10' } });
    await deny(await pendingId());
    expect((await denied).json()).toMatchObject({ status: 403, code: 'approval_denied' });
    expect((await pay('amount=7', { headers: { prefer: 'wait=1' } })).status).toBe(428);
  });

  test('is not waited for with respond-async', async () => {
    await start();
    const answer = await pay('amount=5', { headers: { prefer: 'respond-async' } });
    expect(answer.status).toBe(202);
    const id = answer.json().approval.id;
    expect(answer.headers['location']).toBe(`${gateway.url}/v1/approvals/${id}`);
    expect((await own(id)).json()).toMatchObject({ status: 'pending' });
  });

  test('asks nobody again for a minute when it was denied', async () => {
    await start();
    const id = heldBy(await pay());
    await deny(id);
    expect((await pay()).json()).toMatchObject({ status: 403, code: 'approval_denied' });
    expect((await execute(id)).json()).toMatchObject({ code: 'approval_denied' });
    expect((await own(id)).json()).toMatchObject({ status: 'denied' });
  });

  test('can be cancelled by its agent while it is pending', async () => {
    await start();
    const id = heldBy(await pay());
    expect((await own(id, 'DELETE')).status).toBe(204);
    expect((await execute(id)).json()).toMatchObject({ status: 410, code: 'approval_expired' });
    expect((await own(id, 'DELETE')).json()).toMatchObject({ status: 409, code: 'approval_decided' });
    expect(heldBy(await pay())).not.toBe(id);
    expect((await own('none')).json()).toMatchObject({ status: 404, code: 'unknown_approval' });
  });

  test('is refused by a rule that came after its approval, and the approval stands', async () => {
    await start();
    const id = heldBy(await pay());
    await approve(id);
    await gateway.change((context) =>
      gateway.repositories.policyRules.createPolicyRule(TENANT, { id: 'no', effect: 'deny' }, 'api', context),
    );
    expect((await pay()).json()).toMatchObject({ status: 403, code: 'denied' });
    expect((await execute(id)).json()).toMatchObject({ status: 403, code: 'denied' });
    expect((await recordOf(id)).status).toBe('approved');
    expect(sent()).toHaveLength(0);
  });

  test('goes back to pending when policy asks for more people', async () => {
    await start();
    const id = heldBy(await pay());
    await approve(id);
    const terms = { approvers: 2, groups: [], pendingSeconds: 900, executeSeconds: 600 };
    await gateway.change((context) =>
      gateway.repositories.policyRules.createPolicyRule(
        TENANT,
        { id: 'two', effect: 'require_approval', approval: { ...terms, grant: 'once' } },
        'api',
        context,
      ),
    );
    expect(heldBy(await pay())).toBe(id);
    expect((await recordOf(id)).status).toBe('pending');
    expect(sent()).toHaveLength(0);
  });

  test('with a key is claimed with its approval, and answered once more under it', async () => {
    await start();
    const keyed = { headers: { 'idempotency-key': 'k-1' } };
    const id = heldBy(await pay('amount=5', keyed));
    expect((await pay('amount=6', keyed)).json()).toMatchObject({ code: 'idempotency_key_mismatch' });
    await approve(id);
    expect((await pay('amount=5', keyed)).text).toBe('made');
    const again = await pay('amount=5', keyed);
    expect([again.text, again.headers['postern-idempotency']]).toEqual(['made', 'replayed']);
    expect((await execute(id)).json()).toMatchObject({ idempotency: 'replayed', bodyText: 'made' });
    expect(sent()).toHaveLength(1);
  });

  test('is unknown with its approval when the upstream broke off, and sent no more', async () => {
    await start({}, { retry: { attempts: 1 } });
    const id = heldBy(await pay());
    await approve(id);
    upstream.answerWith((_request, response) => void response.destroy());
    expect((await pay()).json()).toMatchObject({ code: 'upstream_reset' });
    expect((await recordOf(id)).status).toBe('unknown');
    expect((await execute(id)).json()).toMatchObject({ status: 409, code: 'outcome_unknown' });
    expect(sent()).toHaveLength(1);
  });

  test('passes as often as a counted grant says', async () => {
    await start();
    const id = heldBy(await pay());
    await approve(id, { kind: 'times', times: 3 } as GrantTerms);
    for (let use = 0; use < 3; use += 1) expect((await pay()).text).toBe('made');
    expect(heldBy(await pay())).not.toBe(id);
    expect(sent()).toHaveLength(3);
  });

  test('of an agent with twenty pending ones asks nobody', async () => {
    await start();
    for (let count = 0; count < 20; count += 1) heldBy(await pay(`amount=${count}`));
    const answer = await pay('amount=20');
    expect(answer.json()).toMatchObject({ status: 429, code: 'approval_limit' });
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
  });
});

async function pendingId(): Promise<string> {
  for (;;) {
    const { items } = await gateway.repositories.approvals.list(
      TENANT,
      { status: 'pending' },
      { limit: 10, nowMs: Date.now() },
    );
    if (items[0] !== undefined) return items[0].id;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
