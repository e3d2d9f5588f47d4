import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LostCondition } from '../ports/call-journal.ts';
import type { GrantTerms } from '../ports/grants.ts';
import type { CountingJournal, JournalHarness, MakeJournalHarness } from './harness.ts';
import {
  approvalOf,
  approve,
  commit,
  FINGERPRINT,
  findClaim,
  grantFor,
  heldIntent,
  OTHER_FINGERPRINT,
  openApproval,
  scopeOf,
  settle,
  TERMS,
  takeOf,
} from './held-calls.ts';
import { intentOf, readLog } from './journal-calls.ts';

const LEASE_MS = 15_000;
const range = (length: number) => Array.from({ length }, (_, index) => index);

export function describeCallGrants(makeHarness: MakeJournalHarness): void {
  describe('the grants of calls', () => {
    let harness: JournalHarness;
    let journal: CountingJournal;
    beforeEach(async () => {
      harness = await makeHarness();
      journal = await harness.openJournal({ node: 'one', boot: 'boot-1' });
    });
    afterEach(() => harness.close());

    const soon = () => harness.clock.nowMs + 600_000;
    const once = (): GrantTerms => ({ kind: 'once', expiresAt: soon() });
    const times = (count: number): GrantTerms => ({ kind: 'times', times: count, expiresAt: soon() });
    const until = (): GrantTerms => ({ kind: 'until', expiresAt: soon() });
    const readGrant = (id: string) => harness.repositories.grants.getById('acme', id, harness.clock.nowMs);
    const readApproval = (id: string) => harness.repositories.approvals.getById('acme', id, harness.clock.nowMs);
    const expectLost = (promise: Promise<void>, condition: LostCondition) =>
      expect(promise).rejects.toMatchObject({ code: 'conflict', condition });

    test('an approval that was approved once passes once', async () => {
      const { approvalId, grantId } = await grantFor(harness, once());
      await commit(journal, 'r-1', { grant: { id: grantId } });
      expect(await readApproval(approvalId)).toMatchObject({ status: 'executing', executedBy: 'r-1' });
      expect(await readGrant(grantId)).toMatchObject({ usesLeft: 0, state: 'spent' });
      await expectLost(commit(journal, 'r-2', { grant: { id: grantId } }), { lost: 'grant_gone', found: 'spent' });
      await settle(journal, 'r-1', { approval: 'executed' });
      expect(await readApproval(approvalId)).toMatchObject({ status: 'executed', executedBy: 'r-1' });
      await expectLost(commit(journal, 'r-3', { grant: { id: grantId } }), { lost: 'grant_gone', found: 'spent' });
    });

    test('entries of the call name approval and grant, and the end of the first execution has one of its own', async () => {
      const { approvalId, grantId } = await grantFor(harness, times(2));
      for (const id of ['r-1', 'r-2']) {
        await commit(journal, id, { grant: { id: grantId } });
        await settle(journal, id, {}, { status: 201 });
      }
      const log = (await readLog(harness.repositories)).filter((entry) => entry.requestId !== 'r-asking');
      expect(log.map(({ type, requestId, approval, grant }) => [type, requestId, approval, grant])).toEqual([
        ['intent', 'r-1', approvalId, grantId],
        ['outcome', 'r-1', approvalId, grantId],
        ['approval.executed', 'r-1', approvalId, grantId],
        ['intent', 'r-2', approvalId, grantId],
        ['outcome', 'r-2', approvalId, grantId],
      ]);
      expect(log[2]).toMatchObject({ result: 'done', status: 201, integration: 'github', agent: 'coder' });
    });

    test('a claim is found by the approval that its call used up, whatever its key', async () => {
      const { approvalId, grantId } = await grantFor(harness, times(2));
      for (const id of ['r-1', 'r-2'])
        await commit(journal, id, { claim: takeOf(`key of ${id}`), grant: { id: grantId } });
      const find = (tenant: string, requestId: string) =>
        harness.repositories.claims.findByApproval(tenant, approvalId, requestId, harness.clock.nowMs);
      expect(await find('acme', 'r-1')).toMatchObject({ key: 'key of r-1', approvalId, state: 'dispatching' });
      expect(await find('acme', 'r-2')).toMatchObject({ key: 'key of r-2', approvalId });
      expect(await find('acme', 'r-3')).toBeUndefined();
      expect(await find('other', 'r-1')).toBeUndefined();
    });

    test('of fifty calls at once three pass on a grant for three', async () => {
      const { approvalId, grantId } = await grantFor(harness, times(3));
      const results = await Promise.allSettled(
        range(50).map((index) => commit(journal, `r-${index}`, { grant: { id: grantId } })),
      );
      expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(3);
      expect(await readGrant(grantId)).toMatchObject({ usesLeft: 0 });
      expect(await readApproval(approvalId)).toMatchObject({ status: 'executing' });
    });

    test('of fifty calls over two processes one passes on a grant for one', async () => {
      const other = await harness.openJournal({ node: 'two' });
      const { grantId } = await grantFor(harness, once());
      const results = await Promise.allSettled(
        range(50).map((index) => commit(index % 2 ? journal : other, `r-${index}`, { grant: { id: grantId } })),
      );
      expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
    });

    test('claim and grant are taken both or neither', async () => {
      const { grantId } = await grantFor(harness, times(2));
      await commit(journal, 'r-0', { claim: takeOf('busy') });
      await expectLost(commit(journal, 'r-1', { claim: takeOf('busy'), grant: { id: grantId } }), {
        lost: 'claim_lost',
        found: 'dispatching',
      });
      expect(await readGrant(grantId)).toMatchObject({ usesLeft: 2 });
      await expectLost(commit(journal, 'r-2', { claim: takeOf(), grant: { id: 'none' } }), {
        lost: 'grant_gone',
        found: 'absent',
      });
      expect(await findClaim(harness)).toBeUndefined();
      await commit(journal, 'r-3', { claim: takeOf(), grant: { id: grantId } });
      expect(await readGrant(grantId)).toMatchObject({ usesLeft: 1 });
      expect(await findClaim(harness)).toMatchObject({ state: 'dispatching', approvalId: expect.any(String) });
    });

    test('what provably was not sent gives the grant back, and the approval with it', async () => {
      const { approvalId, grantId } = await grantFor(harness, once());
      for (const id of ['r-1', 'r-2', 'r-3']) {
        await commit(journal, id, { claim: takeOf(), grant: { id: grantId } });
        await settle(journal, id, undefined, { result: 'not_sent' });
        expect(await readGrant(grantId)).toMatchObject({ usesLeft: 1, state: 'usable' });
        const approval = await readApproval(approvalId);
        expect(approval).toMatchObject({ status: 'approved' });
        expect(approval).not.toHaveProperty('executedBy');
        expect(await findClaim(harness)).toMatchObject({ state: 'failed_not_sent', approvalId });
      }
    });

    test('a use is given back as often as it was spent, and only by who spent it', async () => {
      const { grantId } = await grantFor(harness, times(2));
      await commit(journal, 'r-1', { grant: { id: grantId } });
      await settle(journal, 'r-1', undefined, { result: 'not_sent' });
      await settle(journal, 'r-1', undefined, { result: 'not_sent' });
      await settle(journal, 'r-2', { grant: 'given_back' }, { result: 'not_sent' });
      expect(await readGrant(grantId)).toMatchObject({ usesLeft: 2 });
    });

    test('a 429 frees the key and spends the grant', async () => {
      const { approvalId, grantId } = await grantFor(harness, once());
      await commit(journal, 'r-1', { claim: takeOf(), grant: { id: grantId } });
      await settle(journal, 'r-1', undefined, { result: 'done', status: 429 });
      expect(await findClaim(harness)).toMatchObject({ state: 'failed_not_sent' });
      expect(await readGrant(grantId)).toMatchObject({ state: 'spent' });
      expect(await readApproval(approvalId)).toMatchObject({ status: 'executed' });
    });

    test.each([
      ['failed', { approval: 'failed' }, 'failed'],
      ['failed', {}, 'unknown'],
      ['unknown', {}, 'unknown'],
      ['done', {}, 'executed'],
    ] as const)(
      'an outcome %s settled with %j leaves the approval %s and the grant spent',
      async (result, settlement, status) => {
        const { approvalId, grantId } = await grantFor(harness, once());
        await commit(journal, 'r-1', { grant: { id: grantId } });
        await settle(journal, 'r-1', settlement, { result });
        expect(await readApproval(approvalId)).toMatchObject({ status });
        expect(await readGrant(grantId)).toMatchObject({ usesLeft: 0 });
      },
    );

    test('a call uses no grant of another agent, tenant or fingerprint', async () => {
      const { grantId } = await grantFor(harness, until());
      const grant = { id: grantId };
      const absent: LostCondition = { lost: 'grant_gone', found: 'absent' };
      await expectLost(journal.commitIntent({ ...heldIntent('r-1'), agent: 'other' }, { grant }), absent);
      await expectLost(journal.commitIntent({ ...heldIntent('r-2'), tenant: 'beta' }, { grant }), absent);
      await expectLost(journal.commitIntent(heldIntent('r-3', OTHER_FINGERPRINT), { grant }), absent);
      await expectLost(journal.commitIntent(intentOf('r-4'), { grant }), absent);
      await commit(journal, 'r-5', { grant });
    });

    test('a standing grant passes what is its integration, action and method, whatever the bytes', async () => {
      const scope = { integration: 'github', action: 'issues.write', method: 'POST', path: '/repos/a/b/issues' };
      const { approvalId, grantId } = await grantFor(harness, { kind: 'rule', expiresAt: soon(), scope });
      const grant = { id: grantId };
      await commit(journal, 'r-1', { grant });
      await settle(journal, 'r-1', {});
      await journal.commitIntent(heldIntent('r-2', OTHER_FINGERPRINT), { grant });
      expect(await readApproval(approvalId)).toMatchObject({ status: 'executed', executedBy: 'r-1' });
      const absent: LostCondition = { lost: 'grant_gone', found: 'absent' };
      await expectLost(journal.commitIntent({ ...heldIntent('r-3'), method: 'PUT' }, { grant }), absent);
      await expectLost(journal.commitIntent({ ...heldIntent('r-4'), action: 'other' }, { grant }), absent);
      await expectLost(journal.commitIntent({ ...heldIntent('r-5'), integration: 'slack' }, { grant }), absent);
    });

    test('expired, revoked and spent grants are told apart', async () => {
      const expiring = await grantFor(harness, times(9));
      const revoked = await grantFor(harness, times(9), { fingerprint: OTHER_FINGERPRINT });
      const at = harness.clock.nowMs;
      await harness.repositories.grants.revoke('acme', revoked.grantId, { by: 'carol', at });
      const useRevoked = journal.commitIntent(heldIntent('r-1', OTHER_FINGERPRINT), { grant: { id: revoked.grantId } });
      await expectLost(useRevoked, { lost: 'grant_gone', found: 'revoked' });
      harness.clock.nowMs = at + 599_999;
      await commit(journal, 'r-2', { grant: { id: expiring.grantId } });
      harness.clock.nowMs = at + 600_000;
      await expectLost(commit(journal, 'r-3', { grant: { id: expiring.grantId } }), {
        lost: 'grant_gone',
        found: 'expired',
      });
    });

    test('an approval whose execute window is over is not executed, without the sweeper', async () => {
      const { approvalId, grantId } = await grantFor(harness, { kind: 'once', expiresAt: soon() + 1 });
      harness.clock.nowMs += TERMS.executeSeconds * 1_000;
      expect(await readApproval(approvalId)).toMatchObject({ status: 'expired' });
      await expectLost(commit(journal, 'r-1', { grant: { id: grantId } }), { lost: 'approval_gone', found: 'expired' });
      expect(await readGrant(grantId)).toMatchObject({ usesLeft: 1 });
    });

    test('a grant that outlives the execute window goes on without its approval', async () => {
      const { approvalId, grantId } = await grantFor(harness, { kind: 'until', expiresAt: soon() + 1_000_000 });
      harness.clock.nowMs += TERMS.executeSeconds * 1_000;
      await commit(journal, 'r-1', { grant: { id: grantId } });
      expect(await readApproval(approvalId)).toMatchObject({ status: 'expired' });
    });

    test('an approval that went back to pending lets nothing pass on its old grant', async () => {
      const { approvalId, grantId } = await grantFor(harness, times(5));
      const { approvals } = harness.repositories;
      const at = harness.clock.nowMs;
      await approvals.transition('acme', approvalId, { to: 'pending', at, terms: TERMS, reason: 'two must approve' });
      await expectLost(commit(journal, 'r-1', { grant: { id: grantId } }), { lost: 'grant_gone', found: 'revoked' });
      const again = await approve(harness, approvalId, once());
      await commit(journal, 'r-2', { grant: { id: again } });
    });

    test('recovery makes the approval of a call unknown, with its claim and its entry', async () => {
      const { approvalId, grantId } = await grantFor(harness, once(), {
        claim: { key: 'key-1', expiresAt: 90_000_000 },
      });
      await commit(journal, 'r-1', { claim: takeOf(), grant: { id: grantId } });
      expect(await readApproval(approvalId)).toMatchObject({ status: 'executing' });
      harness.clock.nowMs += LEASE_MS;
      // Read so before anybody recovered it.
      expect(await readApproval(approvalId)).toMatchObject({ status: 'unknown' });
      const after = await harness.openJournal({ node: 'one', boot: 'boot-2' });
      expect(await after.recover()).toBe(1);
      harness.clock.nowMs -= LEASE_MS;
      expect(await readApproval(approvalId)).toMatchObject({ status: 'unknown', executedBy: 'r-1' });
      expect(await findClaim(harness)).toMatchObject({ state: 'unknown' });
      await settle(journal, 'r-1', { approval: 'executed' });
      expect(await readApproval(approvalId)).toMatchObject({ status: 'unknown' });
      const log = (await readLog(harness.repositories)).filter((entry) => entry.requestId === 'r-1');
      expect(log.map(({ type, result, approval }) => [type, result, approval])).toEqual([
        ['intent', undefined, approvalId],
        ['outcome', 'unknown', approvalId],
        ['approval.executed', 'unknown', approvalId],
        ['violation', 'done', undefined],
      ]);
    });

    test('approve and commit at once: whatever comes first, nothing passes before the grant is there', async () => {
      for (const round of range(10)) {
        const approval = await openApproval(harness, { fingerprint: `${round}`.repeat(64) });
        const [decided, committed] = await Promise.allSettled([
          approve(harness, approval.id, once()),
          journal.commitIntent(heldIntent(`r-${round}`, approval.fingerprint), { grant: { id: `guess-${round}` } }),
        ]);
        expect([decided.status, committed.status]).toEqual(['fulfilled', 'rejected']);
      }
    });

    test('revoke and commit at once end in one of two ways', async () => {
      for (const round of range(20)) {
        const fingerprint = `${round % 10}${round > 9 ? 'a' : 'b'}`.repeat(32);
        const { approvalId, grantId } = await grantFor(harness, once(), { fingerprint });
        const at = harness.clock.nowMs;
        const revoke = () => harness.repositories.grants.revoke('acme', grantId, { by: 'carol', at });
        const send = () => journal.commitIntent(heldIntent(`r-${round}`, fingerprint), { grant: { id: grantId } });
        const both = round % 2 === 0 ? [revoke(), send()] : [send(), revoke()];
        await Promise.allSettled(both);
        const status = (await readApproval(approvalId))?.status;
        const sent = (await readLog(harness.repositories)).some(
          (entry) => entry.type === 'intent' && entry.requestId === `r-${round}`,
        );
        expect(status).toBe(sent ? 'executing' : 'expired');
      }
    });

    test('a key that awaits its approval is taken by the execution', async () => {
      const { nowMs } = harness.clock;
      const { approvals, claims } = harness.repositories;
      const opened = await approvals.createFromCanonicalDescriptor(
        approvalOf({ claim: { key: 'key-1', expiresAt: 90_000_000 } }),
        { nowMs },
      );
      expect(opened.kind).toBe('created');
      const approvalId = opened.kind === 'created' ? opened.approval.id : '';
      expect(await claims.find(scopeOf(), nowMs)).toMatchObject({ state: 'awaiting_approval', fence: 0, approvalId });
      const grantId = await approve(harness, approvalId, once());
      await commit(journal, 'r-1', { claim: takeOf(), grant: { id: grantId } });
      expect(await findClaim(harness)).toMatchObject({
        state: 'dispatching',
        fence: 1,
        requestId: 'r-1',
        fingerprint: FINGERPRINT,
      });
      await settle(journal, 'r-1', { claim: { to: 'succeeded', sealed: Uint8Array.of(1) } });
      expect(await findClaim(harness)).toMatchObject({ state: 'succeeded', approvalId });
    });
  });
}
