import type { CallJournal } from '@postern/db/ports';
import { describe, expect, test } from 'vitest';
import { startTestControlPlane, type TestControlPlane } from '../control-plane.fixture.ts';

const SEALED = Buffer.from('the sealed answer of an upstream');

interface Closed {
  readonly key: string;
  readonly result: 'done' | 'unknown' | 'not_sent';
  readonly tenant?: string;
  readonly agent?: string;
  readonly integration?: string;
}

/** A call with a key that was sent, as the data plane leaves it. The id of its claim. */
async function close(plane: TestControlPlane, journal: CallJournal, call: Closed): Promise<string> {
  const { key, result, tenant = 'default', agent = 'coder', integration = 'bank' } = call;
  const at = plane.clock.now;
  const requestId = `req_${key}`;
  const take = { agent, integration, key, fingerprint: 'f'.repeat(64), expiresAt: at + 86_400_000 };
  const draft = { at, tenant, requestId, agent, integration, method: 'POST', url: 'https://api.example.com/pay' };
  await journal.commitIntent({ ...draft, kind: 'http', decision: 'allow' }, { claim: take });
  const settlement = result === 'done' ? { claim: { to: 'succeeded', sealed: SEALED } as const } : undefined;
  journal.recordOutcome({ tenant, requestId, at, result }, settlement);
  await journal.flush();
  const found = await plane.repositories.claims.find({ tenant, agent, integration, key }, at);
  return found?.id ?? '';
}

const resolve = (plane: TestControlPlane, id: string, body: object, token?: string) =>
  plane.call({
    method: 'POST',
    url: `/v1/claims/${id}/resolve`,
    body,
    ...(token === undefined ? {} : { token }),
  });

async function withJournal(run: (plane: TestControlPlane, journal: CallJournal) => Promise<void>): Promise<void> {
  await using plane = await startTestControlPlane();
  const journal = plane.openJournal();
  try {
    await run(plane, journal);
  } finally {
    await journal.close();
  }
}

describe('claims', () => {
  test('are listed by state, agent and integration, newest first', () =>
    withJournal(async (plane, journal) => {
      const calls: Closed[] = [
        { key: 'k-1', result: 'unknown' },
        { key: 'k-2', result: 'done' },
        { key: 'k-3', result: 'not_sent', agent: 'other' },
        { key: 'k-4', result: 'unknown', integration: 'shop' },
      ];
      for (const call of calls) {
        await close(plane, journal, call);
        plane.clock.now += 1_000;
      }
      const read = async (query: string) =>
        (await plane.call({ url: `/v1/claims${query}` })).body.items.map(({ key }: { key: string }) => key);
      expect(await read('')).toEqual(['k-4', 'k-3', 'k-2', 'k-1']);
      expect(await read('?state=unknown')).toEqual(['k-4', 'k-1']);
      expect(await read('?state=succeeded')).toEqual(['k-2']);
      expect(await read('?state=failed_not_sent')).toEqual(['k-3']);
      expect(await read('?agent=coder&integration=bank')).toEqual(['k-2', 'k-1']);
      const { nextCursor } = (await plane.call({ url: '/v1/claims?limit=3' })).body;
      expect(await read(`?limit=3&cursor=${nextCursor}`)).toEqual(['k-1']);
      expect((await plane.call({ url: '/v1/claims?state=lost' })).status).toBe(422);
    }));

  test('tell how a key stands, and never what the upstream answered', () =>
    withJournal(async (plane, journal) => {
      const id = await close(plane, journal, { key: 'k-1', result: 'done' });
      const one = await plane.call({ url: `/v1/claims/${id}` });
      expect(one.body).toEqual({
        id,
        agent: 'coder',
        integration: 'bank',
        key: 'k-1',
        state: 'succeeded',
        fingerprint: 'f'.repeat(64),
        dispatches: 1,
        createdAt: '2026-03-01T12:00:00.000Z',
        expiresAt: '2026-03-02T12:00:00.000Z',
        requestId: 'req_k-1',
        answer: { bytes: SEALED.byteLength },
        retryAllowed: false,
      });
      const list = await plane.call({ url: '/v1/claims' });
      for (const { text } of [one, list]) {
        expect(text).not.toContain(SEALED.toString());
        expect(text).not.toContain(SEALED.toString('base64'));
      }
    }));

  test.each([
    ['done', 'succeeded', false],
    ['not_done', 'failed_not_sent', false],
    ['retry', 'unknown', true],
  ] as const)('that are unknown are resolved by "%s"', (outcome, state, retryAllowed) =>
    withJournal(async (plane, journal) => {
      const otto = await plane.createAdmin('otto', 'operator');
      const id = await close(plane, journal, { key: 'k-1', result: 'unknown' });
      const answer = await resolve(plane, id, { outcome, note: 'asked the bank' }, otto);
      expect(answer).toMatchObject({
        status: 200,
        body: {
          state,
          retryAllowed,
          resolution: { outcome, note: 'asked the bank', by: 'otto', at: '2026-03-01T12:00:00.000Z' },
        },
      });
      const { items } = (await plane.call({ url: '/v1/audit/events?type=claim.resolved' })).body;
      expect(items).toMatchObject([{ actor: 'otto', agent: 'coder', integration: 'bank' }]);
    }),
  );

  test.each(['done', 'not_sent'] as const)('that are known (%s) are not resolved', (result) =>
    withJournal(async (plane, journal) => {
      const id = await close(plane, journal, { key: 'k-1', result });
      const state = result === 'done' ? 'succeeded' : 'failed_not_sent';
      expect(await resolve(plane, id, { outcome: 'retry', note: 'x' })).toMatchObject({
        status: 409,
        body: { code: 'conflict', detail: `The claim is ${state}: only one that is unknown can be resolved.` },
      });
      expect((await plane.call({ url: '/v1/audit/events?type=claim.resolved' })).body.items).toEqual([]);
    }),
  );

  test('are resolved by one of two at once', () =>
    withJournal(async (plane, journal) => {
      const id = await close(plane, journal, { key: 'k-1', result: 'unknown' });
      const answers = await Promise.all(
        ['done', 'not_done'].map((outcome) => resolve(plane, id, { outcome, note: 'x' })),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 409]);
    }));

  test.each<[object, string]>([
    [{ outcome: 'done' }, 'note'],
    [{ outcome: 'done', note: '' }, 'note'],
    [{ outcome: 'done', note: 'x'.repeat(501) }, 'note'],
    [{ outcome: 'perhaps', note: 'x' }, 'outcome'],
    [{ note: 'x' }, 'outcome'],
  ])('are not resolved by %j', (body, field) =>
    withJournal(async (plane, journal) => {
      const id = await close(plane, journal, { key: 'k-1', result: 'unknown' });
      expect(await resolve(plane, id, body)).toMatchObject({ status: 422, body: { issues: [{ field }] } });
    }),
  );

  test.each([
    ['admin', 200, 200],
    ['operator', 200, 200],
    ['auditor', 200, 403],
    ['approver', 403, 403],
  ] as const)('are read by the role %s with %i and resolved with %i', (role, read, resolved) =>
    withJournal(async (plane, journal) => {
      const token = await plane.createAdmin('someone', role);
      const id = await close(plane, journal, { key: 'k-1', result: 'unknown' });
      expect((await plane.call({ url: '/v1/claims', token })).status).toBe(read);
      expect((await plane.call({ url: `/v1/claims/${id}`, token })).status).toBe(read);
      expect((await resolve(plane, id, { outcome: 'retry', note: 'x' }, token)).status).toBe(resolved);
    }),
  );

  test('of another tenant are not there', () =>
    withJournal(async (plane, journal) => {
      await plane.call({ method: 'POST', url: '/v1/tenants', body: { name: 'acme' } });
      const token = await plane.createAdmin('foreign', 'admin', 'acme');
      const id = await close(plane, journal, { key: 'k-secret', result: 'unknown' });
      const answers = [
        await plane.call({ url: `/v1/claims/${id}`, token }),
        await resolve(plane, id, { outcome: 'done', note: 'x' }, token),
        await resolve(plane, 'nothing', { outcome: 'done', note: 'x' }),
      ];
      for (const answer of answers) expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } });
      expect((await plane.call({ url: '/v1/claims', token })).text).not.toContain('k-secret');
      expect((await plane.call({ url: `/v1/claims/${id}` })).body.state).toBe('unknown');
    }));
});
