import type { PolicyVersionRef, PolicyVersionSummary } from '@postern/db/ports';
import { Rejection } from '@postern/schemas';
import { entityTag } from '../entity-tag.ts';

/** What a path or query names: an id, a number, `active` or `previous`. */
export function refOf(text: string): PolicyVersionRef {
  if (text === 'active' || text === 'previous') return text;
  return /^[1-9]\d{0,14}$/.test(text) ? { number: Number(text) } : { id: text };
}

/** Of one version as long as one and the same is active: whoever read either of them knows what is in force. */
export function versionTag(version: PolicyVersionSummary, active: PolicyVersionSummary | undefined): string {
  return entityTag(`${version.number}-${active?.number ?? 0}`);
}

type Guard = (active: PolicyVersionSummary | undefined, target: PolicyVersionSummary) => void;

/**
 * Refuses to replace another version than the caller saw: `precondition_failed` where `If-Match` names neither the active version's tag
 * nor that of the one to be activated, `conflict` where `expectedActive` is not the id or number of the active version (null: none). Both
 * say which version is active. Without either nothing is refused.
 */
export function versionGuard(ifMatch: string | undefined, expectedActive: number | string | null | undefined): Guard {
  return (active, target) => {
    const is = active === undefined ? 'No version is active' : `Version ${active.number} (${active.id}) is active`;
    if (ifMatch !== undefined && !namesTag(ifMatch, active, target)) {
      const since = active?.activatedAt === undefined ? '' : ` since ${new Date(active.activatedAt).toISOString()}`;
      throw new Rejection(
        'precondition_failed',
        `${is}${since}, not the one that If-Match names; look at the diff again.`,
      );
    }
    if (expectedActive === undefined || isExpected(active, expectedActive)) return;
    const expected = expectedActive === null ? 'none' : String(expectedActive);
    throw new Rejection('conflict', `${is}, and ${expected} was expected; look at the diff again.`);
  };
}

/** RFC 9110 section 13.1.1; a weak tag matches nothing. */
function namesTag(ifMatch: string, active: PolicyVersionSummary | undefined, target: PolicyVersionSummary): boolean {
  const tags = ifMatch.split(',').map((tag) => tag.trim());
  if (tags.includes('*') || tags.includes(versionTag(target, active))) return true;
  return active !== undefined && tags.includes(versionTag(active, active));
}

function isExpected(active: PolicyVersionSummary | undefined, expected: number | string | null): boolean {
  if (active === undefined || expected === null) return active === undefined && expected === null;
  return expected === active.id || String(expected) === String(active.number);
}
