import { randomBytes } from 'node:crypto';
import type { ApprovalRecord } from '@postern/db/ports';
import { describe, expect, test } from 'vitest';
import { decide, digestOf, holdCall, TERMS } from '../approvals/held-call.fixture.ts';
import { sharedTestControlPlane, startTestControlPlane, type TestControlPlane } from '../control-plane.fixture.ts';

const shared = sharedTestControlPlane();
const one = async (plane: TestControlPlane, id: string, token?: string) =>
  await plane.call({ url: `/v1/approvals/${id}`, ...(token === undefined ? {} : { token }) });
const list = async (plane: TestControlPlane, query = '', token?: string) =>
  await plane.call({ url: `/v1/approvals${query}`, ...(token === undefined ? {} : { token }) });
const inSeconds = (plane: TestControlPlane, seconds: number) =>
  new Date(plane.clock.now + seconds * 1_000).toISOString();

describe('a held call', () => {
  test('is listed with all that an approver goes by, and what is missing in words', async () => {
    await using plane = await startTestControlPlane();
    const { id } = await holdCall(plane, { body: 'amount=5', members: { intent: 'pay\u202e Bob' } });
    const { body } = await list(plane, '?status=pending');
    expect(body).toEqual({
      items: [
        {
          id,
          status: 'pending',
          createdAt: '2026-03-01T12:00:00.000Z',
          expiresAt: '2026-03-01T12:15:00.000Z',
          summary: 'POST https://api.example.com/pay, pay of bank, body of 8 bytes',
          agent: 'coder',
          integration: 'bank',
          action: 'pay',
          method: 'POST',
          url: 'https://api.example.com/pay',
          intent: 'pay\\u{202e} Bob',
          risk: { score: 0.5, labels: ['destructive'] },
          rule: 'writes',
          reason: 'the rule writes asks a person',
          fingerprint: expect.stringMatching(/^[0-9a-f]{64}$/),
          requestId: expect.any(String),
          terms: TERMS,
          votes: [],
          missing: { words: '1 more person must approve', seats: [{ groups: [], count: 1 }] },
        },
      ],
    });
  });

  test('is shown with the exact request, what hides made visible, and what each grant would let pass', async () => {
    await using plane = await startTestControlPlane();
    const body = '{"to":"bob\u202e","note":"p\u0430ypal\u200b","k":"\u001b[2J"}';
    const { id } = await holdCall(plane, { body, headers: [['x-note', 'a\u0085b']] });
    const shown = (await one(plane, id)).body;
    const text = '{"to":"bob\\u{202e}","note":"p\\u{430}ypal\\u{200b}","k":"\\u{1b}[2J"}';
    expect(shown).toMatchObject({
      request: {
        method: 'POST',
        url: 'https://api.example.com/pay',
        headers: [['x-note', 'a\\u{85}b']],
        body: { kind: 'text', text, truncated: false, digest: digestOf(body), hasHidden: true },
      },
      warnings: ['Some characters do not show or look like others; they are written as \\u{…}.'],
      descriptor: { v: 1, agent: 'coder', body: digestOf(body), credential: 'bank-token' },
      grants: [],
    });
    expect(shown.request.text).toContain(`| ${text}`);
    expect(shown.request.text).not.toMatch(/[\u202e\u200b\u001b\u0430\u0085]/);
    expect(shown.offers.map(({ kind }: { kind: string }) => kind)).toEqual(['once', 'times', 'until', 'rule']);
    expect(shown.offers.at(-1).words).toBe(
      'All POST requests of agent coder to /pay of integration bank (action pay), with any query, headers and body, as often as it sends them, until 2026-03-31T12:00:00.000Z. No deny is lifted.',
    );
  });

  test('of a large body shows its beginning, says so, and still checks the whole', async () => {
    await using plane = await startTestControlPlane();
    const body = 'x'.repeat(3_000_000);
    const { id } = await holdCall(plane, { body });
    const shown = (await one(plane, id)).body;
    expect(shown.request.body).toMatchObject({
      bytes: 3_000_000,
      shownBytes: 65_536,
      truncated: true,
      digest: digestOf(body),
    });
    expect(shown.warnings).toEqual(['Only the first 65536 of 3000000 bytes of the body are shown.']);
    expect((await decide(plane, id, 'approve')).status).toBe(200);
  });

  test.each([
    ['no body', null, { kind: 'none' }],
    ['an empty body', '', { kind: 'text', bytes: 0 }],
    ['bytes that are no text', Buffer.from([0, 255, 1, 2]), { kind: 'hex', bytes: 4 }],
  ])('with %s is shown as such and can be approved', async (_name, body, shown) => {
    await using plane = await startTestControlPlane();
    const { id } = await holdCall(plane, { body });
    expect((await one(plane, id)).body.request.body).toMatchObject(shown);
    expect((await decide(plane, id, 'approve')).body.status).toBe('approved');
  });

  test.each<[string, Parameters<typeof holdCall>[1], RegExp]>([
    ['is sealed for another call', { sealed: { fingerprint: 'f'.repeat(64) } }, /does not open/],
    ['was replaced by other bytes', { sealed: { bytes: randomBytes(400) } }, /does not open/],
    ['is another than the one that is described', { sealed: { url: 'https://api.example.com/all' } }, /not the one/],
    ['was never stored', { members: { sealedRequest: undefined } }, /No request is stored/],
  ])('whose request %s can be denied alone', async (_name, held, words) => {
    await using plane = await startTestControlPlane();
    const { id } = await holdCall(plane, held);
    const shown = (await one(plane, id)).body;
    expect(shown.request).toBeNull();
    expect(shown.requestProblem).toMatch(words);
    expect(await decide(plane, id, 'approve')).toMatchObject({
      status: 409,
      body: { code: 'conflict', detail: expect.stringMatching(/There is nothing to approve\.$/) },
    });
    expect((await one(plane, id)).body).toMatchObject({ status: 'pending', votes: [] });
    expect((await decide(plane, id, 'deny')).body.status).toBe('denied');
  });

  test('whose agent is gone can be denied alone', async () => {
    await using plane = await startTestControlPlane();
    const { id } = await holdCall(plane);
    await plane.call({ method: 'DELETE', url: '/v1/agents/coder' });
    expect(await decide(plane, id, 'approve')).toMatchObject({ status: 409, body: { code: 'conflict' } });
    expect((await decide(plane, id, 'deny')).status).toBe(200);
  });
});

describe('a decision', () => {
  test('makes the grant, wakes who waits after the commit, and is recorded with its maker', async () => {
    const decided: [string, string, string, string][] = [];
    await using plane = await startTestControlPlane({
      onApprovalDecided: (tenant, { id, status }, event) => decided.push([tenant, id, status, event]),
    });
    const bob = await plane.createAdmin('bob', 'approver');
    const { id } = await holdCall(plane);
    const answer = await decide(plane, id, 'approve', { token: bob, body: { note: 'as agreed' } });
    expect(answer).toMatchObject({
      status: 200,
      body: {
        id,
        status: 'approved',
        decidedBy: 'bob',
        decidedAt: '2026-03-01T12:00:00.000Z',
        decisionReason: 'as agreed',
        executeUntil: '2026-03-01T12:10:00.000Z',
        votes: [{ by: 'bob', groups: [], note: 'as agreed', counts: true }],
      },
    });
    expect(answer.body.missing).toBeUndefined();
    expect(decided).toEqual([['default', id, 'approved', 'approval.decided']]);
    expect((await one(plane, id)).body.grants).toMatchObject([
      { kind: 'once', state: 'usable', usesLeft: 1, grantedBy: 'bob', expiresAt: '2026-03-01T12:10:00.000Z' },
    ]);
    const { items } = (await plane.call({ url: '/v1/audit/events?type=approval.decided' })).body;
    expect(items).toMatchObject([
      { actor: 'bob', decision: 'allow', approval: id, grant: expect.any(String), reason: 'as agreed' },
      { actor: 'bob', decision: 'require_approval', approval: id },
    ]);
  });

  test.each<[string, 'approve' | 'deny', 'approve' | 'deny', RegExp]>([
    ['approved twice', 'approve', 'approve', /^It was approved by bob at 2026-03-01T12:00:00\.000Z\.$/],
    ['denied after a yes', 'approve', 'deny', /^It was approved by bob at /],
    ['approved after a no', 'deny', 'approve', /^It was denied by bob at /],
    ['denied twice', 'deny', 'deny', /^It was denied by bob at /],
  ])('is final: %s is 409 with who and when', async (_name, first, second, detail) => {
    await using plane = await startTestControlPlane({ publicUrl: 'https://postern.example/' });
    const bob = await plane.createAdmin('bob', 'approver');
    const { id } = await holdCall(plane);
    expect((await decide(plane, id, first, { token: bob })).status).toBe(200);
    expect(await decide(plane, id, second)).toMatchObject({
      status: 409,
      body: {
        code: 'approval_decided',
        detail: expect.stringMatching(detail),
        approval: {
          id,
          status: first === 'approve' ? 'approved' : 'denied',
          statusUrl: `https://postern.example/v1/approvals/${id}`,
          decidedBy: 'bob',
          decidedAt: '2026-03-01T12:00:00.000Z',
        },
      },
    });
  });

  test('of two people at once is one decision', async () => {
    await using plane = await startTestControlPlane();
    const tokens = [await plane.createAdmin('bob', 'approver'), await plane.createAdmin('eve', 'admin')];
    const { id } = await holdCall(plane);
    const answers = await Promise.all([
      ...tokens.map((token) => decide(plane, id, 'approve', { token })),
      decide(plane, id, 'deny'),
    ]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
    const { grants, status } = (await one(plane, id)).body;
    expect(grants).toHaveLength(status === 'approved' ? 1 : 0);
  });

  test('comes too late once the time is over, swept or not', async () => {
    await using plane = await startTestControlPlane();
    const { id } = await holdCall(plane);
    const other = await holdCall(plane);
    await decide(plane, other.id, 'approve');
    plane.clock.now += 599_999;
    expect((await one(plane, other.id)).body.status).toBe('approved');
    plane.clock.now += 1;
    expect((await one(plane, other.id)).body.status).toBe('expired');
    expect((await decide(plane, other.id, 'approve')).body.detail).toMatch(/and the time to execute it is over\.$/);
    plane.clock.now += 299_999;
    expect((await one(plane, id)).body.status).toBe('pending');
    plane.clock.now += 1;
    for (const verdict of ['approve', 'deny'] as const) {
      const { body } = await decide(plane, id, verdict);
      expect(body).toMatchObject({ code: 'approval_decided', detail: 'It expired at 2026-03-01T12:15:00.000Z.' });
    }
    expect((await list(plane, '?status=pending')).body.items).toEqual([]);
    expect((await list(plane, '?status=expired')).body.items).toHaveLength(2);
  });

  test('a denial holds for a minute, or as long as it says', async () => {
    await using plane = await startTestControlPlane();
    const first = await holdCall(plane);
    expect((await decide(plane, first.id, 'deny', { body: { reason: 'not now' } })).body).toMatchObject({
      status: 'denied',
      decisionReason: 'not now',
      deniedUntil: '2026-03-01T12:01:00.000Z',
    });
    const second = await holdCall(plane);
    const body = { reason: 'never', rule: { expiresAt: inSeconds(plane, 86_400) } };
    expect((await decide(plane, second.id, 'deny', { body })).body.deniedUntil).toBe('2026-03-02T12:00:00.000Z');
  });

  test.each<[object, string, string]>([
    [{}, 'reason', 'is required'],
    [{ reason: ' ' }, 'reason', 'must not be empty'],
    [{ reason: 'no', rule: { expiresAt: '2026-03-01T12:00:00Z' } }, 'rule.expiresAt', 'must be in the future'],
    [{ reason: 'no', forever: true }, 'forever', 'is not a known field'],
  ])('denying with %j is refused with its field', async (body, field, message) => {
    const plane = shared();
    const { id } = await holdCall(plane);
    const answer = await decide(plane, id, 'deny', { body });
    expect(answer).toMatchObject({ status: 422, body: { code: 'validation_failed', issues: [{ field }] } });
    expect(answer.body.issues[0].message).toContain(message);
    expect((await one(plane, id)).body.status).toBe('pending');
  });
});

describe('lists', () => {
  test('are filtered by status and agent, newest first, page by page', async () => {
    await using plane = await startTestControlPlane();
    const made: ApprovalRecord[] = [];
    for (const agent of ['coder', 'coder', 'other', 'coder']) {
      made.push(await holdCall(plane, { agent }));
      plane.clock.now += 1_000;
    }
    const ids = made.map(({ id }) => id).reverse();
    await decide(plane, ids[0] ?? '', 'deny');
    const read = async (query: string) => {
      const { body } = await list(plane, query);
      return body.items.map(({ id }: { id: string }) => ids.indexOf(id));
    };
    expect(await read('')).toEqual([0, 1, 2, 3]);
    expect(await read('?status=pending')).toEqual([1, 2, 3]);
    expect(await read('?status=pending&agent=coder')).toEqual([2, 3]);
    expect(await read('?status=denied')).toEqual([0]);
    const { nextCursor } = (await list(plane, '?limit=2')).body;
    expect(await read(`?limit=2&cursor=${nextCursor}`)).toEqual([2, 3]);
  });

  test.each([
    ['status=waiting', 'status'],
    ['limit=101', 'limit'],
    ['cursor=x', 'cursor'],
    ['state=pending', 'state'],
  ])('with %s are refused', async (query, field) => {
    const plane = shared();
    expect(await list(plane, `?${query}`)).toMatchObject({ status: 422, body: { issues: [{ field }] } });
  });
});
