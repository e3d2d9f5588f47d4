import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { GrantSearch, GrantTerms } from '../ports/grants.ts';
import { type JournalHarness, type MakeJournalHarness, readPages } from './harness.ts';
import { commit, FINGERPRINT, findClaim, grantFor, OTHER_FINGERPRINT, openApproval } from './held-calls.ts';
import { readLog } from './journal-calls.ts';

const range = (length: number) => Array.from({ length }, (_, index) => index);
const SCOPE = { integration: 'github', action: 'issues.write', method: 'POST', path: '/repos/a/b/issues' };
const SEARCH: GrantSearch = { ...SCOPE, tenant: 'acme', agent: 'coder', fingerprint: FINGERPRINT };

export function describeGrantsPort(makeHarness: MakeJournalHarness): void {
  describe('grants', () => {
    let harness: JournalHarness;
    beforeEach(async () => {
      harness = await makeHarness();
    });
    afterEach(() => harness.close());

    const grants = () => harness.repositories.grants;
    const now = () => harness.clock.nowMs;
    const terms = (kind: 'once' | 'until' = 'once', ms = 600_000): GrantTerms => ({ kind, expiresAt: now() + ms });
    const rule = (ms = 600_000): GrantTerms => ({ kind: 'rule', scope: SCOPE, expiresAt: now() + ms });
    const find = async (change: Partial<GrantSearch> = {}, nowMs = now()) =>
      (await grants().findFitting({ ...SEARCH, ...change }, nowMs)).map(({ id }) => id);

    test('bound to a call are found by its fingerprint, by its agent, in its tenant', async () => {
      const { approvalId, grantId } = await grantFor(harness, terms());
      expect(await grants().findFitting(SEARCH, now())).toEqual([
        {
          tenant: 'acme',
          id: grantId,
          approvalId,
          agent: 'coder',
          kind: 'once',
          fingerprint: FINGERPRINT,
          usesLeft: 1,
          expiresAt: now() + 600_000,
          createdAt: now(),
          grantedBy: 'bob',
          state: 'usable',
        },
      ]);
      for (const other of [{ tenant: 'beta' }, { agent: 'other' }, { fingerprint: OTHER_FINGERPRINT }]) {
        expect(await find(other)).toEqual([]);
      }
    });

    test('that stand are found by what the call is, whatever its bytes, and by nothing less', async () => {
      const { grantId } = await grantFor(harness, rule());
      expect(await find({ fingerprint: OTHER_FINGERPRINT })).toEqual([grantId]);
      expect((await grants().getById('acme', grantId, now()))?.scope).toEqual(SCOPE);
      for (const other of [
        { tenant: 'beta' },
        { agent: 'other' },
        { integration: 'slack' },
        { action: 'issues.read' },
        { action: undefined },
        { method: 'PUT' },
        { path: '/repos/a/b/issues/' },
        { path: '/repos/a/b' },
        { path: '/repos/%' },
      ]) {
        expect(await find(other)).toEqual([]);
      }
    });

    test('that stand for what no action covers fit that alone', async () => {
      const { action: _, ...scope } = SCOPE;
      const { grantId } = await grantFor(harness, { kind: 'rule', scope, expiresAt: now() + 1_000 });
      expect(await find({ action: undefined })).toEqual([grantId]);
      expect(await find()).toEqual([]);
      expect((await grants().getById('acme', grantId, now()))?.scope).toEqual(scope);
    });

    test('are found up to their end', async () => {
      const { grantId } = await grantFor(harness, terms('until', 10));
      expect(await find({}, now() + 9)).toEqual([grantId]);
      expect(await find({}, now() + 10)).toEqual([]);
      expect(await grants().getById('acme', grantId, now() + 9)).toMatchObject({ state: 'usable' });
      expect(await grants().getById('acme', grantId, now() + 10)).toMatchObject({ state: 'expired' });
      expect(await grants().getById('beta', grantId, now())).toBeUndefined();
    });

    test('are found in the order in which they are best used', async () => {
      const standing = await grantFor(harness, rule());
      const counted = await grantFor(harness, { kind: 'times', times: 3, expiresAt: now() + 100 });
      const timed = await grantFor(harness, terms('until', 2_000));
      const sooner = await grantFor(harness, terms('until', 1_000));
      expect(await find()).toEqual([sooner, timed, standing, counted].map(({ grantId }) => grantId));
    });

    test('that are spent or revoked are found no more', async () => {
      const journal = await harness.openJournal();
      const spent = await grantFor(harness, terms());
      await commit(journal, 'r-1', { grant: { id: spent.grantId } });
      const revoked = await grantFor(harness, rule());
      await grants().revoke('acme', revoked.grantId, { by: 'carol', at: now() });
      expect(await find()).toEqual([]);
    });

    test('are revoked once, with an entry', async () => {
      const { approvalId, grantId } = await grantFor(harness, terms('until'));
      const revoke = (by: string) => grants().revoke('acme', grantId, { by, at: now(), reason: 'no longer needed' });
      const both = await Promise.all([revoke('carol'), revoke('dora')]);
      expect(both.sort()).toEqual([false, true]);
      expect(await grants().getById('acme', grantId, now())).toMatchObject({ state: 'revoked', revokedAt: now() });
      const entries = (await readLog(harness.repositories)).filter(({ type }) => type === 'grant.revoked');
      expect(entries).toHaveLength(1);
      expect(entries[0]).toMatchObject({ grant: grantId, approval: approvalId, reason: 'no longer needed' });
      await expect(grants().revoke('beta', grantId, { by: 'carol', at: 1 })).rejects.toMatchObject({
        code: 'not_found',
      });
      await expect(grants().revoke('acme', grantId, { by: '', at: 1 })).rejects.toMatchObject({ code: 'invalid' });
    });

    test('revoked before the first use take their approval along, and the key that awaits it', async () => {
      const claim = { key: 'key-1', expiresAt: now() + 9_000_000 };
      const { approvalId, grantId } = await grantFor(harness, terms(), { claim });
      await grants().revoke('acme', grantId, { by: 'carol', at: now() });
      const approval = await harness.repositories.approvals.getById('acme', approvalId, now());
      expect(approval).toMatchObject({ status: 'expired' });
      expect(await findClaim(harness)).toMatchObject({ state: 'failed_final', problem: { code: 'approval_expired' } });
    });

    test('revoked after the first use leave the approval as it is', async () => {
      const journal = await harness.openJournal();
      const { approvalId, grantId } = await grantFor(harness, { kind: 'times', times: 2, expiresAt: now() + 1_000 });
      await commit(journal, 'r-1', { grant: { id: grantId } });
      await grants().revoke('acme', grantId, { by: 'carol', at: now() });
      const approval = await harness.repositories.approvals.getById('acme', approvalId, now());
      expect(approval).toMatchObject({ status: 'executing' });
    });

    test('keep the stored request for as long as they can be used', async () => {
      const { sealedRequests } = harness.repositories;
      const stored = await sealedRequests.write({ tenant: 'acme', keepUntil: now() + 1 }, [Uint8Array.of(1)]);
      const expiresAt = now() + 90_000_000;
      await grantFor(harness, { kind: 'until', expiresAt }, { sealedRequest: stored.id });
      expect((await sealedRequests.getById('acme', stored.id))?.keepUntil).toBe(expiresAt);
    });

    test('go in lists from the newest down, in pages, by agent and by whether they can be used', async () => {
      const ids: string[] = [];
      for (const index of range(5)) {
        harness.clock.nowMs += 1;
        ids.unshift((await grantFor(harness, terms(), { fingerprint: `${index}`.repeat(64) })).grantId);
      }
      const revoked = ids[2] as string;
      await grants().revoke('acme', revoked, { by: 'carol', at: now() });
      const list = (filter: { agent?: string; isUsable?: boolean }, nowMs = now()) =>
        readPages((cursor) => grants().list('acme', filter, { limit: 2, nowMs, ...(cursor && { cursor }) }));
      const idsOf = async (...given: Parameters<typeof list>) => (await list(...given)).items.map(({ id }) => id);
      expect(await idsOf({})).toEqual(ids);
      expect(await idsOf({ isUsable: true })).toEqual(ids.filter((id) => id !== revoked));
      expect(await idsOf({ isUsable: false })).toEqual([revoked]);
      expect(await idsOf({ isUsable: true }, now() + 600_000)).toEqual([]);
      expect(await idsOf({ agent: 'other' })).toEqual([]);
    });

    test('are not made of an approval that nobody approved', async () => {
      const { id } = await openApproval(harness);
      expect(await grants().listByApproval('acme', id, now())).toEqual([]);
      expect(await find()).toEqual([]);
    });
  });
}
