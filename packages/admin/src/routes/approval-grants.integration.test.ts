import { describe, expect, test } from 'vitest';
import { decide, holdCall, type TERMS } from '../approvals/held-call.fixture.ts';
import { sharedTestControlPlane, startTestControlPlane, type TestControlPlane } from '../control-plane.fixture.ts';

const shared = sharedTestControlPlane();
const one = async (plane: TestControlPlane, id: string, token?: string) =>
  await plane.call({ url: `/v1/approvals/${id}`, ...(token === undefined ? {} : { token }) });
const inSeconds = (plane: TestControlPlane, seconds: number) =>
  new Date(plane.clock.now + seconds * 1_000).toISOString();

describe('the grants of an approval', () => {
  test.each<[object, object]>([
    [{ kind: 'once' }, { kind: 'once', usesLeft: 1, expiresAt: '2026-03-01T12:10:00.000Z' }],
    [
      { kind: 'times', times: 100 },
      { kind: 'times', usesLeft: 100, expiresAt: '2026-03-01T12:10:00.000Z' },
    ],
    [
      { kind: 'until', until: '2026-03-08T13:00:00+01:00' },
      { kind: 'until', expiresAt: '2026-03-08T12:00:00.000Z' },
    ],
    [{ kind: 'rule' }, { kind: 'rule', scope: { integration: 'bank', action: 'pay', method: 'POST', path: '/pay' } }],
  ])('%j is given as asked', async (grant, given) => {
    await using plane = await startTestControlPlane();
    const { id } = await holdCall(plane);
    expect((await decide(plane, id, 'approve', { body: { grant } })).status).toBe(200);
    expect((await one(plane, id)).body.grants).toMatchObject([given]);
  });

  test.each<[object, string, string, Partial<typeof TERMS>]>([
    [{ kind: 'times', times: 101 }, 'grant.times', 'the tenant allows at most 100', {}],
    [{ kind: 'times', times: 0 }, 'grant.times', 'must be at least 1', {}],
    [{ kind: 'times' }, 'grant.times', 'is required', {}],
    [{ kind: 'until', until: '2026-03-08T12:00:00.001Z' }, 'grant.until', 'the tenant allows at most 604800', {}],
    [{ kind: 'until', until: '2026-03-01T12:00:00Z' }, 'grant.until', 'must be a time to come', {}],
    [{ kind: 'until', until: 'tomorrow' }, 'grant.until', 'must be an ISO 8601 time', {}],
    [{ kind: 'rule' }, 'grant.kind', 'the rule allows at most "until"', { grant: 'until' }],
    [{ kind: 'times', times: 2 }, 'grant.kind', 'the rule allows at most "once"', { grant: 'once' }],
    [{ kind: 'forever' }, 'grant.kind', '', {}],
    [{ kind: 'once', times: 2 }, 'grant.times', '', {}],
  ])('%j is refused with its field and nothing is approved', async (grant, field, message, terms) => {
    const plane = shared();
    const { id } = await holdCall(plane, { terms });
    const answer = await decide(plane, id, 'approve', { body: { grant } });
    expect(answer).toMatchObject({ status: 422, body: { code: 'validation_failed', issues: [{ field }] } });
    expect(answer.body.issues[0].message).toContain(message);
    expect((await one(plane, id)).body).toMatchObject({ status: 'pending', votes: [], grants: [] });
  });

  test('are capped by what the tenant allows', async () => {
    const caps = { timesMax: 3, untilSecondsMax: 60, ruleSeconds: 120 };
    await using plane = await startTestControlPlane({ grantCaps: caps });
    const { id } = await holdCall(plane);
    const refused = await decide(plane, id, 'approve', { body: { grant: { kind: 'times', times: 4 } } });
    expect(refused.body.issues).toEqual([{ field: 'grant.times', message: 'the tenant allows at most 3' }]);
    expect((await one(plane, id)).body.offers[2].words).toContain('until 2026-03-01T12:01:00.000Z');
    await decide(plane, id, 'approve', { body: { grant: { kind: 'rule' } } });
    expect((await one(plane, id)).body.grants).toMatchObject([{ expiresAt: '2026-03-01T12:02:00.000Z' }]);
  });

  test('of several people are the narrowest of what each would give', async () => {
    await using plane = await startTestControlPlane();
    const bob = await plane.createAdmin('bob', 'approver');
    const { id } = await holdCall(plane, { terms: { approvers: 2 } });
    await decide(plane, id, 'approve', { token: bob, body: { grant: { kind: 'times', times: 3 } } });
    expect((await decide(plane, id, 'approve', { body: { grant: { kind: 'rule' } } })).body.status).toBe('approved');
    expect((await one(plane, id)).body.grants).toMatchObject([{ kind: 'times', usesLeft: 3 }]);
  });

  test('that somebody gave until a time that is over make nothing pass', async () => {
    await using plane = await startTestControlPlane();
    const bob = await plane.createAdmin('bob', 'approver');
    const { id } = await holdCall(plane, { terms: { approvers: 2 } });
    const until = { kind: 'until', until: inSeconds(plane, 60) };
    await decide(plane, id, 'approve', { token: bob, body: { grant: until } });
    plane.clock.now += 60_000;
    expect(await decide(plane, id, 'approve', { body: { grant: { kind: 'rule' } } })).toMatchObject({
      status: 409,
      body: { code: 'conflict', detail: expect.stringContaining('until 2026-03-01T12:01:00.000Z') },
    });
    expect((await one(plane, id)).body).toMatchObject({ status: 'pending', votes: [{ by: 'bob' }], grants: [] });
  });
});
