import { requireOneOf } from '../check.ts';
import { APPROVAL_STATUSES, type ApprovalStatus } from '../ports/approvals.ts';
import { APPROVAL_KEPT_MS_MAX } from '../ports/volatile/approval-once.ts';
import type { ApprovalStatusPort } from '../ports/volatile/approval-status.ts';
import { requireTime } from './check-range.ts';
import { keysOf } from './key-of.ts';
import type { KeyStore } from './key-store.ts';
import { leftUntil } from './left-until.ts';

/** A status of an approval that is over: long enough for those who wait. */
const PAST_MS = 1_000;

/** Keys `{prefix}:approval-status:{tenant}:{approval}`. */
export function createApprovalStatus(store: KeyStore, prefix: string, now: () => number): ApprovalStatusPort {
  const keyOf = keysOf(prefix, 'approval-status', ['approval']);
  return {
    async put(tenant, approval, { status, changedAtMs, expiresAtMs }) {
      requireOneOf('status', status, APPROVAL_STATUSES);
      requireTime('changedAtMs', changedAtMs);
      requireTime('expiresAtMs', expiresAtMs);
      const leftMs = leftUntil('expiresAtMs', expiresAtMs, { nowMs: now(), mostMs: APPROVAL_KEPT_MS_MAX });
      const at = { order: changedAtMs, ttlMs: Math.max(PAST_MS, leftMs) };
      return store.putNewer(keyOf(tenant, approval), status, at);
    },
    async get(tenant, approval) {
      const kept = await store.getNewest(keyOf(tenant, approval));
      if (kept === undefined || !isStatus(kept.value)) return undefined;
      return { status: kept.value, changedAtMs: kept.order };
    },
    async drop(tenant, approval) {
      await store.remove([keyOf(tenant, approval)]);
    },
  };
}

function isStatus(value: string): value is ApprovalStatus {
  return (APPROVAL_STATUSES as readonly string[]).includes(value);
}
