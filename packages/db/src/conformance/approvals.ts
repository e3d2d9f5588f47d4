import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { INSTANCE_SCOPE } from '../client.ts';
import type { ApprovalStatus, ApprovalTransition, NewApproval } from '../ports/approvals.ts';
import { runInTransaction } from '../transaction.ts';
import { type CountingJournal, type JournalHarness, type MakeJournalHarness, readPages } from './harness.ts';
import {
  approvalOf,
  approve,
  commit,
  FINGERPRINT,
  findClaim,
  grantFor,
  OTHER_FINGERPRINT,
  openApproval,
  settle,
  TERMS,
  takeOf,
} from './held-calls.ts';
import { readLog } from './journal-calls.ts';

const DAY_MS = 86_400_000;
const range = (length: number) => Array.from({ length }, (_, index) => index);
const print = (index: number) => index.toString(16).padStart(64, '0');

export function describeApprovalsPort(makeHarness: MakeJournalHarness): void {
  describe('approvals', () => {
    let harness: JournalHarness;
    beforeEach(async () => {
      harness = await makeHarness();
    });
    afterEach(() => harness.close());

    const approvals = () => harness.repositories.approvals;
    const now = () => harness.clock.nowMs;
    const ask = (change: Partial<NewApproval> = {}, nowMs = now()) =>
      approvals().createFromCanonicalDescriptor(approvalOf(change), { nowMs });
    const read = (id: string, nowMs = now()) => approvals().getById('acme', id, nowMs);
    const once = () => ({ kind: 'once', expiresAt: now() + 600_000 }) as const;
    const approved = (change: Partial<Extract<ApprovalTransition, { to: 'approved' }>> = {}): ApprovalTransition => ({
      to: 'approved',
      by: 'bob',
      at: now(),
      executeUntil: now() + 600_000,
      grant: once(),
      ...change,
    });
    const denied = (at = now()): ApprovalTransition => ({ to: 'denied', by: 'bob', at, reason: 'not today' });
    const cancelled = (at = now()): ApprovalTransition => ({ to: 'cancelled', by: 'coder', at });
    const expired = (at = now()): ApprovalTransition => ({ to: 'expired', at });
    const entryTypes = async () => (await readLog(harness.repositories)).map((entry) => entry.type);

    describe('that are opened', () => {
      test('keep all that is known of the call, and are pending for as long as their terms say', async () => {
        const opened = await ask();
        const { descriptor, ...given } = approvalOf();
        expect(opened).toEqual({
          kind: 'created',
          approval: {
            ...given,
            descriptor,
            id: expect.any(String),
            status: 'pending',
            votes: [],
            createdAt: now(),
            expiresAt: now() + 900_000,
          },
        });
        if (opened.kind !== 'created') return;
        expect(await read(opened.approval.id)).toEqual(opened.approval);
        expect(await approvals().getById('beta', opened.approval.id, now())).toBeUndefined();
        const entry = (await readLog(harness.repositories))[0];
        expect(entry).toMatchObject({
          type: 'approval.created',
          approval: opened.approval.id,
          requestId: 'r-asking',
          fingerprint: FINGERPRINT,
          url: 'https://api.github.com/repos/a/b/issues',
          agent: 'coder',
          rule: 'writes',
        });
      });

      test('without what may be absent read back without it', async () => {
        const plain = {
          environment: undefined,
          action: undefined,
          intent: undefined,
          risk: undefined,
          rule: undefined,
        };
        const approval = await openApproval(harness, { ...plain, reason: undefined, policyVersion: undefined });
        expect(await read(approval.id)).toEqual(approval);
      });

      test('twice for the same binding are one', async () => {
        const first = await openApproval(harness);
        expect(await ask({ requestId: 'r-again' })).toMatchObject({ kind: 'joined', approval: { id: first.id } });
        for (const change of [{ agent: 'other' }, { fingerprint: OTHER_FINGERPRINT }, { tenant: 'beta' }]) {
          expect(await ask(change)).toMatchObject({ kind: 'created' });
        }
      });

      test('a hundred times at once for the same binding are one', async () => {
        const other = await harness.connectAgain();
        expect(other).toBeDefined();
        const opened = await Promise.all(range(100).map((index) => ask({ requestId: `r-${index}` })));
        expect(opened.filter(({ kind }) => kind === 'created')).toHaveLength(1);
        expect(new Set(opened.map((each) => ('approval' in each ? each.approval.id : '')))).toHaveProperty('size', 1);
        expect(await approvals().countPending('acme', now())).toBe(1);
      });

      test('anew once the one before has ended, by time, decision or cancellation', async () => {
        const first = await openApproval(harness);
        harness.clock.nowMs = first.expiresAt;
        const second = await openApproval(harness);
        expect(await read(first.id)).toMatchObject({ status: 'expired' });
        await approvals().transition('acme', second.id, cancelled());
        const third = await openApproval(harness);
        await approve(harness, third.id, once());
        await openApproval(harness);
        expect(await entryTypes()).toEqual([
          'approval.created',
          'approval.expired',
          'approval.created',
          'approval.cancelled',
          'approval.created',
          'approval.decided',
          'approval.created',
        ]);
      });

      test('after a denial not within 60 s, or as long as was asked for', async () => {
        const first = await openApproval(harness);
        const deniedAt = now();
        await approvals().transition('acme', first.id, denied());
        harness.clock.nowMs = deniedAt + 59_999;
        expect(await ask()).toMatchObject({
          kind: 'denied',
          approval: { id: first.id, deniedUntil: deniedAt + 60_000 },
        });
        expect(await ask({ agent: 'other' })).toMatchObject({ kind: 'created' });
        harness.clock.nowMs = deniedAt + 60_000;
        const second = await openApproval(harness);
        await approvals().transition('acme', second.id, {
          to: 'denied',
          by: 'bob',
          at: now(),
          reason: 'never',
          deniedUntil: now() + DAY_MS,
        });
        harness.clock.nowMs += DAY_MS - 1;
        expect(await ask()).toMatchObject({ kind: 'denied', approval: { id: second.id } });
        harness.clock.nowMs += 1;
        expect(await ask()).toMatchObject({ kind: 'created' });
      });

      test('are twenty pending of an agent and no more, over all its bindings', async () => {
        for (const index of range(20)) {
          expect(await ask({ fingerprint: print(index) })).toMatchObject({ kind: 'created' });
          harness.clock.nowMs += 10_000;
        }
        const limit = await ask({ fingerprint: print(20) });
        expect(limit).toEqual({ kind: 'limit', cap: 'pendingMax', retryAfterSeconds: 700 });
        expect(await ask({ fingerprint: print(3) })).toMatchObject({ kind: 'joined' });
        expect(await ask({ fingerprint: print(20), agent: 'other' })).toMatchObject({ kind: 'created' });
        harness.clock.nowMs += 700_000;
        expect(await ask({ fingerprint: print(20) })).toMatchObject({ kind: 'created' });
      });

      test('are twenty new ones of an agent in any minute, also when they are decided at once', async () => {
        for (const index of range(20)) {
          const { id } = await openApproval(harness, { fingerprint: print(index) });
          await approvals().transition('acme', id, cancelled());
          harness.clock.nowMs += 1_000;
        }
        const limit = { kind: 'limit', cap: 'newPerMinuteMax', retryAfterSeconds: 40 };
        expect(await ask({ fingerprint: print(20) })).toEqual(limit);
        harness.clock.nowMs += 39_999;
        expect(await ask({ fingerprint: print(20) })).toEqual({ ...limit, retryAfterSeconds: 1 });
        harness.clock.nowMs += 1;
        expect(await ask({ fingerprint: print(20) })).toMatchObject({ kind: 'created' });
      });

      test('hold their caps when asked for all at once, and when the clock goes back', async () => {
        const opened = await Promise.all(range(50).map((index) => ask({ fingerprint: print(index) })));
        expect(opened.filter(({ kind }) => kind === 'created')).toHaveLength(20);
        harness.clock.nowMs -= 500_000;
        expect(await ask({ fingerprint: print(99) })).toMatchObject({ kind: 'limit' });
      });

      test('fall with the caller’s transaction', async () => {
        const failed = runInTransaction(harness.client, async (context) => {
          const claim = { key: 'key-1', expiresAt: now() + DAY_MS };
          await approvals().createFromCanonicalDescriptor(approvalOf({ claim }), { nowMs: now() }, context);
          throw new Error('changed my mind');
        });
        await expect(failed).rejects.toThrow('changed my mind');
        expect(await approvals().countPending(undefined, now())).toBe(0);
        expect(await findClaim(harness)).toBeUndefined();
        expect(await entryTypes()).toEqual([]);
      });

      test.each([
        { tenant: '' },
        { agent: '' },
        { fingerprint: '' },
        { requestId: '' },
        { descriptor: '' },
        { terms: { ...TERMS, approvers: 1.5 } },
        { terms: { ...TERMS, grant: 'always' as 'once' } },
        { terms: { ...TERMS, groups: [''] } },
        { claim: { key: 'a b', expiresAt: 9_000_000 } },
      ])('with %j are refused', async (change) => {
        await expect(ask(change)).rejects.toMatchObject({ code: 'invalid' });
      });

      test('keep a stored request that is there, and no other', async () => {
        const { sealedRequests } = harness.repositories;
        const stored = await sealedRequests.write({ tenant: 'acme', keepUntil: now() + 1 }, [Uint8Array.of(1)]);
        const asking = ask({ sealedRequest: 'none' });
        await expect(asking).rejects.toMatchObject({ code: 'not_found' });
        expect(await approvals().countPending('acme', now())).toBe(0);
        await openApproval(harness, { sealedRequest: stored.id });
        const kept = await sealedRequests.getById('acme', stored.id);
        expect(kept?.keepUntil).toBe(now() + (TERMS.pendingSeconds + TERMS.executeSeconds) * 1_000);
      });
    });

    describe('that are decided', () => {
      test('with yes have a grant, and who decided and when', async () => {
        const { id } = await openApproval(harness);
        harness.clock.nowMs += 5_000;
        const change = await approvals().transition('acme', id, approved({ note: 'go on' }));
        expect(change).toMatchObject({
          isDone: true,
          grantId: expect.any(String),
          approval: {
            status: 'approved',
            approvedAt: now(),
            executeUntil: now() + 600_000,
            decidedBy: 'bob',
            decidedAt: now(),
            decisionReason: 'go on',
          },
        });
        const [grant] = await harness.repositories.grants.listByApproval('acme', id, now());
        expect(grant).toMatchObject({
          id: change.grantId,
          approvalId: id,
          kind: 'once',
          usesLeft: 1,
          grantedBy: 'bob',
        });
        const entry = (await readLog(harness.repositories)).at(-1);
        expect(entry).toMatchObject({
          type: 'approval.decided',
          decision: 'allow',
          actor: 'bob',
          grant: grant?.id,
          approval: id,
        });
      });

      test('with no keep the reason, and end the claims that await them', async () => {
        const { id } = await openApproval(harness, { claim: { key: 'key-1', expiresAt: now() + DAY_MS } });
        const claim = {
          key: 'key-2',
          agent: 'coder',
          integration: 'github',
          requestId: 'r-2',
          expiresAt: now() + DAY_MS,
        };
        expect(await approvals().bindClaim({ tenant: 'acme', id }, claim, now())).toMatchObject({ isDone: true });
        await approvals().transition('acme', id, denied());
        expect(await read(id)).toMatchObject({ status: 'denied', decidedBy: 'bob', decisionReason: 'not today' });
        for (const key of ['key-1', 'key-2']) {
          const problem = { code: 'approval_denied', status: 403, until: now() + 60_000 };
          expect(await findClaim(harness, key)).toMatchObject({ state: 'failed_final', problem });
        }
        const entry = (await readLog(harness.repositories)).at(-1);
        expect(entry).toMatchObject({ type: 'approval.decided', decision: 'deny', actor: 'bob', reason: 'not today' });
      });

      test('or cancelled end the claims as expired ones do', async () => {
        const { id } = await openApproval(harness, { claim: { key: 'key-1', expiresAt: now() + DAY_MS } });
        await approvals().transition('acme', id, cancelled());
        const problem = { code: 'approval_expired', status: 410, until: now() + 60_000 };
        expect(await findClaim(harness)).toMatchObject({ state: 'failed_final', problem });
        expect((await readLog(harness.repositories)).at(-1)).toMatchObject({
          type: 'approval.cancelled',
          actor: 'coder',
        });
      });

      test('are decided once: the second is told who and when', async () => {
        const { id } = await openApproval(harness);
        await approvals().transition('acme', id, denied());
        harness.clock.nowMs += 9_000;
        for (const change of [approved(), denied(), cancelled()]) {
          const second = await approvals().transition('acme', id, change);
          expect(second).toMatchObject({
            isDone: false,
            approval: { status: 'denied', decidedBy: 'bob', decidedAt: now() - 9_000 },
          });
        }
        expect(await entryTypes()).toEqual(['approval.created', 'approval.decided']);
      });

      test('by many at once are decided by one of them', async () => {
        for (const round of range(10)) {
          const { id } = await openApproval(harness, { fingerprint: print(round) });
          const changes = [approved(), denied(), cancelled(), approved({ by: 'carol' }), denied()];
          const results = await Promise.all(changes.map((change) => approvals().transition('acme', id, change)));
          expect(results.filter(({ isDone }) => isDone)).toHaveLength(1);
          const grants = await harness.repositories.grants.listByApproval('acme', id, now());
          expect(grants).toHaveLength(results[0]?.isDone || results[3]?.isDone ? 1 : 0);
        }
      });

      test('after their end are not decided, without the sweeper', async () => {
        const { id, expiresAt } = await openApproval(harness);
        for (const at of [expiresAt, expiresAt + 1]) {
          const late = await approvals().transition(
            'acme',
            id,
            approved({ at, grant: { kind: 'once', expiresAt: at + 1 } }),
          );
          expect(late).toMatchObject({ isDone: false, approval: { status: 'expired' } });
        }
        const inTime = await approvals().transition(
          'acme',
          id,
          approved({ at: expiresAt - 1, grant: { kind: 'once', expiresAt } }),
        );
        expect(inTime.isDone).toBe(true);
      });

      test('by what makes no grant are refused, and stay pending', async () => {
        const { id } = await openApproval(harness);
        const scope = { integration: 'github', method: 'POST', path: '' };
        for (const grant of [
          { kind: 'once', expiresAt: now() },
          { kind: 'times', times: 0, expiresAt: now() + 1 },
          { kind: 'times', times: 1.5, expiresAt: now() + 1 },
          { kind: 'rule', scope, expiresAt: now() + 1 },
          { kind: 'always', expiresAt: now() + 1 } as unknown as { kind: 'once'; expiresAt: number },
        ] as const) {
          await expect(approvals().transition('acme', id, approved({ grant }))).rejects.toMatchObject({
            code: 'invalid',
          });
        }
        const noOne = approvals().transition('acme', id, { ...denied(), by: '' } as ApprovalTransition);
        await expect(noOne).rejects.toMatchObject({ code: 'invalid' });
        expect(await read(id)).toMatchObject({ status: 'pending' });
        expect(await entryTypes()).toEqual(['approval.created']);
      });

      test('are of the tenant', async () => {
        const { id } = await openApproval(harness);
        const foreign = approvals().transition('beta', id, denied());
        await expect(foreign).rejects.toMatchObject({ code: 'not_found' });
        await expect(approvals().transition('acme', 'none', denied())).rejects.toMatchObject({ code: 'not_found' });
        const executed = approvals().transition('acme', id, { to: 'executed', at: 1 } as unknown as ApprovalTransition);
        await expect(executed).rejects.toMatchObject({ code: 'invalid' });
      });
    });

    /** From, to: what may follow what. Everything that belongs to the journal is in `call-grants.ts`. */
    const CHANGES: readonly [ApprovalStatus, ApprovalTransition['to'], boolean][] = [
      ['pending', 'approved', true],
      ['pending', 'denied', true],
      ['pending', 'cancelled', true],
      ['pending', 'expired', false],
      ['pending', 'pending', false],
      ['approved', 'approved', false],
      ['approved', 'denied', false],
      ['approved', 'cancelled', false],
      ['approved', 'expired', false],
      ['approved', 'pending', true],
      ['denied', 'approved', false],
      ['denied', 'pending', false],
      ['expired', 'approved', false],
      ['expired', 'denied', false],
      ['expired', 'cancelled', false],
      ['expired', 'expired', false],
      ['expired', 'pending', false],
      ['cancelled', 'approved', false],
      ['cancelled', 'pending', false],
      ['executing', 'approved', false],
      ['executing', 'denied', false],
      ['executing', 'expired', false],
      ['executing', 'pending', false],
      ['executed', 'approved', false],
      ['executed', 'pending', false],
      ['failed', 'approved', false],
      ['unknown', 'approved', false],
      ['unknown', 'pending', false],
    ];

    describe('from state to state', () => {
      async function makeOne(status: ApprovalStatus, journal: CountingJournal): Promise<string> {
        if (status === 'pending') return (await openApproval(harness)).id;
        if (status === 'denied' || status === 'cancelled') {
          const { id } = await openApproval(harness);
          await approvals().transition('acme', id, status === 'denied' ? denied() : cancelled());
          return id;
        }
        if (status === 'expired') {
          const { id } = await openApproval(harness);
          harness.clock.nowMs += TERMS.pendingSeconds * 1_000;
          await approvals().transition('acme', id, expired());
          return id;
        }
        const { approvalId, grantId } = await grantFor(harness, once());
        if (status === 'approved') return approvalId;
        await commit(journal, 'r-1', { grant: { id: grantId } });
        if (status !== 'executing') await settle(journal, 'r-1', { approval: status });
        return approvalId;
      }

      test.each(CHANGES)('what is %s becomes %s: %s', async (from, to, isDone) => {
        const id = await makeOne(from, await harness.openJournal());
        const at = now();
        const change: Record<ApprovalTransition['to'], ApprovalTransition> = {
          approved: approved(),
          denied: denied(),
          cancelled: cancelled(),
          expired: expired(),
          pending: { to: 'pending', at, terms: TERMS, reason: 'two must approve' },
        };
        const before = await read(id);
        expect(before?.status).toBe(from);
        const result = await approvals().transition('acme', id, change[to]);
        expect(result.isDone).toBe(isDone);
        expect(await read(id)).toEqual(isDone ? result.approval : before);
        expect((await read(id))?.status).toBe(isDone ? to : from);
      });

      test('what reads expired is stored so once, from pending and from approved', async () => {
        const pending = await openApproval(harness);
        const { approvalId } = await grantFor(harness, once(), { fingerprint: OTHER_FINGERPRINT });
        harness.clock.nowMs += 900_000;
        for (const id of [pending.id, approvalId]) {
          const results = await Promise.all(range(3).map(() => approvals().transition('acme', id, expired())));
          expect(results.filter(({ isDone }) => isDone)).toHaveLength(1);
        }
        expect((await entryTypes()).filter((type) => type === 'approval.expired')).toHaveLength(2);
      });

      test('back to pending it asks under new terms, without its grants and with its votes', async () => {
        const { id } = await openApproval(harness);
        await approvals().addVote('acme', id, { by: 'bob', groups: ['ops'], at: now() });
        await approve(harness, id, once());
        harness.clock.nowMs += 1_000;
        const terms = { ...TERMS, approvers: 2, pendingSeconds: 60 };
        const change = { to: 'pending', at: now(), terms, reason: 'two must approve' } as const;
        const { approval } = await approvals().transition('acme', id, change);
        expect(approval).toMatchObject({ status: 'pending', terms, expiresAt: now() + 60_000, votes: [{ by: 'bob' }] });
        for (const member of ['approvedAt', 'executeUntil', 'decidedBy', 'decidedAt']) {
          expect(approval).not.toHaveProperty(member);
        }
        const [grant] = await harness.repositories.grants.listByApproval('acme', id, now());
        expect(grant).toMatchObject({ state: 'revoked', revokedBy: 'policy' });
        expect((await entryTypes()).slice(-2)).toEqual(['grant.revoked', 'approval.created']);
      });
    });

    describe('that several must approve', () => {
      const vote = (by: string, groups: string[] = []) => ({ by, groups, at: now(), note: `from ${by}` });

      test('collect one yes of each person, in their order', async () => {
        const { id } = await openApproval(harness);
        await approvals().addVote('acme', id, { ...vote('bob', ['ops']), grant: { kind: 'times', times: 3 } });
        const second = await approvals().addVote('acme', id, vote('carol', ['finance', 'ops']));
        expect(second).toMatchObject({ isDone: true, approval: { status: 'pending' } });
        const again = await approvals().addVote('acme', id, vote('bob', ['finance']));
        expect(again.isDone).toBe(false);
        expect((await read(id))?.votes).toEqual([
          { ...vote('bob', ['ops']), grant: { kind: 'times', times: 3 } },
          vote('carol', ['finance', 'ops']),
        ]);
        const entries = (await readLog(harness.repositories)).slice(1);
        expect(entries.map(({ type, actor, decision }) => [type, actor, decision])).toEqual([
          ['approval.decided', 'bob', 'require_approval'],
          ['approval.decided', 'carol', 'require_approval'],
        ]);
      });

      test('lose no yes when many come at once', async () => {
        const { id } = await openApproval(harness);
        const people = range(12).map((index) => `person-${index % 6}`);
        const results = await Promise.all(people.map((by) => approvals().addVote('acme', id, vote(by))));
        expect(results.filter(({ isDone }) => isDone)).toHaveLength(6);
        expect((await read(id))?.votes.map(({ by }) => by).sort()).toEqual([...new Set(people)].sort());
      });

      test('take no yes once they have ended', async () => {
        const { id, expiresAt } = await openApproval(harness);
        const late = { ...vote('bob'), at: expiresAt };
        expect(await approvals().addVote('acme', id, late)).toMatchObject({
          isDone: false,
          approval: { status: 'expired' },
        });
        await approvals().transition('acme', id, denied());
        expect((await approvals().addVote('acme', id, vote('bob'))).isDone).toBe(false);
        await expect(approvals().addVote('beta', id, vote('bob'))).rejects.toMatchObject({ code: 'not_found' });
        await expect(approvals().addVote('acme', id, vote(''))).rejects.toMatchObject({ code: 'invalid' });
      });

      test('count and decide in one transaction', async () => {
        const { id } = await openApproval(harness);
        const say = (by: string) =>
          runInTransaction(harness.client, async (context) => {
            const { approval, isDone } = await approvals().addVote('acme', id, vote(by), context);
            if (!isDone || approval.votes.length < 2) return false;
            return (await approvals().transition('acme', id, approved({ by }), context)).isDone;
          });
        const decided = await Promise.all(['bob', 'carol', 'dora'].map(say));
        expect(decided.filter(Boolean)).toHaveLength(1);
        expect((await read(id))?.votes).toHaveLength(2);
      });
    });

    describe('found again', () => {
      test('by their binding while they are open', async () => {
        const binding = { tenant: 'acme', agent: 'coder', fingerprint: FINGERPRINT };
        expect(await approvals().findOpenByFingerprint(binding, now())).toBeUndefined();
        const first = await openApproval(harness);
        expect(await approvals().findOpenByFingerprint(binding, now())).toMatchObject({
          id: first.id,
          status: 'pending',
        });
        for (const other of [{ tenant: 'beta' }, { agent: 'other' }, { fingerprint: OTHER_FINGERPRINT }]) {
          expect(await approvals().findOpenByFingerprint({ ...binding, ...other }, now())).toBeUndefined();
        }
        await approve(harness, first.id, once());
        expect(await approvals().findOpenByFingerprint(binding, now())).toMatchObject({
          id: first.id,
          status: 'approved',
        });
        const second = await openApproval(harness);
        expect(await approvals().findOpenByFingerprint(binding, now())).toMatchObject({ id: second.id });
        expect(await approvals().findOpenByFingerprint(binding, now() + 700_000)).toMatchObject({ id: second.id });
        expect(await approvals().findOpenByFingerprint(binding, now() + 900_000)).toBeUndefined();
      });

      test('in lists from the newest down, in pages, each once', async () => {
        const ids: string[] = [];
        for (const index of range(7)) {
          ids.unshift((await openApproval(harness, { fingerprint: print(index) })).id);
          if (index % 3 === 0) harness.clock.nowMs += 1_000;
        }
        await openApproval(harness, { tenant: 'beta' });
        for (const filter of [
          {},
          { status: 'pending' },
          { agent: 'coder' },
          { status: 'pending', agent: 'coder' },
        ] as const) {
          const { items, sizes } = await readPages((cursor) =>
            approvals().list('acme', filter, { limit: 3, nowMs: now(), ...(cursor && { cursor }) }),
          );
          expect(sizes).toEqual([3, 3, 1]);
          expect(items.map(({ id }) => id).sort()).toEqual([...ids].sort());
          expect(items).toEqual(
            items.toSorted((one, other) => other.createdAt - one.createdAt || (one.id < other.id ? 1 : -1)),
          );
        }
        expect((await approvals().list('acme', { agent: 'other' }, { limit: 3, nowMs: now() })).items).toEqual([]);
      });

      test('in lists by status as they read at that time', async () => {
        const journal = await harness.openJournal();
        const pending = await openApproval(harness, { fingerprint: print(1) });
        const waiting = await grantFor(harness, once(), { fingerprint: print(2) });
        const running = await grantFor(harness, once());
        await commit(journal, 'r-1', { grant: { id: running.grantId } });
        const gone = await openApproval(harness, { fingerprint: print(3) });
        await approvals().transition('acme', gone.id, cancelled());
        const idsAt = async (status: ApprovalStatus, nowMs: number) => {
          const { items } = await approvals().list('acme', { status }, { limit: 10, nowMs });
          for (const item of items) expect(item.status).toBe(status);
          return items.map(({ id }) => id).sort();
        };
        const [start, later] = [now(), now() + 900_000];
        expect(await idsAt('pending', start)).toEqual([pending.id]);
        expect(await idsAt('approved', start)).toEqual([waiting.approvalId]);
        expect(await idsAt('executing', start)).toEqual([running.approvalId]);
        expect(await idsAt('cancelled', start)).toEqual([gone.id]);
        expect(await idsAt('expired', start)).toEqual([]);
        expect(await idsAt('pending', later)).toEqual([]);
        expect(await idsAt('approved', later)).toEqual([]);
        expect(await idsAt('executing', later)).toEqual([]);
        expect(await idsAt('unknown', later)).toEqual([running.approvalId]);
        expect(await idsAt('expired', later)).toEqual([pending.id, waiting.approvalId].sort());
        await approvals().sweep(later, 10);
        expect(await idsAt('expired', later)).toEqual([pending.id, waiting.approvalId].sort());
      });

      test('in lists without their descriptors', async () => {
        await openApproval(harness);
        const { items } = await approvals().list('acme', {}, { limit: 1, nowMs: now() });
        expect(items[0]).toMatchObject({ summary: approvalOf().summary });
        expect(items[0]).not.toHaveProperty('descriptor');
      });

      test.each(['x', 'WyJhcHByb3ZhbHMiLCJ4Il0', 'WyJhcHByb3ZhbHMiLDVd'])(
        'and refuse the cursor %j',
        async (cursor) => {
          await expect(approvals().list('acme', {}, { limit: 2, nowMs: now(), cursor })).rejects.toMatchObject({
            code: 'invalid',
          });
        },
      );

      test('unless what is stored is no approval any more, which is told by table and column', async () => {
        const { id } = await openApproval(harness);
        await harness.client
          .writes(INSTANCE_SCOPE)
          .updateTable('approvals')
          .set({ terms: '{"approvers":1}' })
          .execute();
        await expect(read(id)).rejects.toMatchObject({
          code: 'invalid',
          message: expect.stringContaining('approvals.terms'),
        });
      });
    });

    describe('bound to keys', () => {
      const bound = (key: string, change = {}) => ({
        ...{ key, agent: 'coder', integration: 'github', requestId: `r-${key}`, expiresAt: now() + DAY_MS },
        ...change,
      });

      test('of several calls have all of them await it', async () => {
        const { id } = await openApproval(harness, { claim: { key: 'key-1', expiresAt: now() + DAY_MS } });
        const claim = { key: 'key-2', expiresAt: now() + DAY_MS };
        expect(await ask({ claim })).toMatchObject({ kind: 'joined', approval: { id, claimKey: 'key-1' } });
        expect(await findClaim(harness, 'key-2')).toMatchObject({ state: 'awaiting_approval', approvalId: id });
        expect(await approvals().bindClaim({ tenant: 'acme', id }, bound('key-1'), now())).toMatchObject({
          isDone: true,
        });
      });

      test('of a claim that cannot wait are not opened, and nothing is stored', async () => {
        const journal = await harness.openJournal();
        await commit(journal, 'r-1', { claim: takeOf('busy') });
        const before = await entryTypes();
        const busy = { claim: { key: 'busy', expiresAt: now() + DAY_MS } };
        expect(await ask(busy)).toEqual({ kind: 'claim_lost', found: 'dispatching' });
        const mismatch = await ask({ ...busy, fingerprint: OTHER_FINGERPRINT });
        expect(mismatch).toEqual({ kind: 'claim_lost', found: 'fingerprint_mismatch' });
        expect(await approvals().countPending('acme', now())).toBe(0);
        expect(await entryTypes()).toEqual(before);
        await settle(journal, 'r-1', { claim: { to: 'failed_not_sent' } });
        expect(await ask(busy)).toMatchObject({ kind: 'created' });
      });

      test('of a claim that is unknown leave it so, where it may be repeated', async () => {
        const journal = await harness.openJournal();
        await commit(journal, 'r-1', { claim: takeOf() });
        await settle(journal, 'r-1', { claim: { to: 'unknown' } });
        const claim = { key: 'key-1', expiresAt: now() + DAY_MS };
        expect(await ask({ claim })).toEqual({ kind: 'claim_lost', found: 'unknown' });
        const opened = await ask({ claim: { ...claim, mayRepeat: true } });
        expect(opened).toMatchObject({ kind: 'created', approval: { claimKey: 'key-1' } });
        expect(await findClaim(harness)).toMatchObject({ state: 'unknown' });
      });

      test('bind no more once they have ended', async () => {
        const { id, expiresAt } = await openApproval(harness);
        const late = approvals().bindClaim({ tenant: 'acme', id }, bound('key-1'), expiresAt);
        await expect(late).rejects.toMatchObject({ code: 'stale' });
        const none = approvals().bindClaim({ tenant: 'acme', id: 'none' }, bound('key-1'), now());
        await expect(none).rejects.toMatchObject({ code: 'not_found' });
        expect(await findClaim(harness)).toBeUndefined();
      });
    });

    describe('that are swept', () => {
      test('are those whose time is over, and are told so that they can be announced', async () => {
        const pending = await openApproval(harness, { fingerprint: print(1) });
        const { approvalId } = await grantFor(harness, once(), { fingerprint: print(2) });
        const gone = await openApproval(harness, { fingerprint: print(3) });
        await approvals().transition('acme', gone.id, cancelled());
        expect(await approvals().sweep(now(), 10)).toEqual([]);
        harness.clock.nowMs += 599_999;
        expect(await approvals().sweep(now(), 10)).toEqual([]);
        harness.clock.nowMs += 1;
        expect((await approvals().sweep(now(), 10)).map(({ id, status }) => [id, status])).toEqual([
          [approvalId, 'expired'],
        ]);
        harness.clock.nowMs += 300_000;
        expect((await approvals().sweep(now(), 10)).map(({ id }) => id)).toEqual([pending.id]);
        expect(await approvals().sweep(now(), 10)).toEqual([]);
      });

      test('are not more than were asked for, and none twice when two sweep', async () => {
        for (const index of range(10)) await openApproval(harness, { fingerprint: print(index) });
        harness.clock.nowMs += DAY_MS;
        expect(await approvals().sweep(now(), 4)).toHaveLength(4);
        const both = await Promise.all([approvals().sweep(now(), 10), approvals().sweep(now(), 10)]);
        expect(both.flat()).toHaveLength(6);
        expect((await entryTypes()).filter((type) => type === 'approval.expired')).toHaveLength(10);
      });
    });
  });
}
