import type { EntryDraft } from '@postern/schemas';
import type { ApprovalRow } from '../tables.ts';

/** What an entry says beyond the approval that it is about. */
type About = Pick<EntryDraft, 'at' | 'type'> & Partial<Pick<EntryDraft, 'actor' | 'decision' | 'grant' | 'reason'>>;

/** Texts that people or agents wrote are cut here, as everywhere in the log. */
const REASON_CHARACTERS_MAX = 500;

export function approvalEntry(row: Omit<ApprovalRow, 'descriptor'>, about: About): EntryDraft {
  const reason = about.reason ?? row.reason ?? undefined;
  return {
    ...about,
    tenant: row.tenant,
    requestId: row.request_id,
    agent: row.agent,
    environment: row.environment ?? undefined,
    integration: row.integration,
    action: row.action ?? undefined,
    method: row.method,
    url: withoutQuery(row.url),
    intent: row.intent ?? undefined,
    rule: row.rule ?? undefined,
    reason: reason?.slice(0, REASON_CHARACTERS_MAX),
    policyVersion: row.policy_version ?? undefined,
    fingerprint: row.fingerprint,
    approval: row.id,
  } as EntryDraft;
}

/** Values stay out of the log until they can be redacted. */
function withoutQuery(url: string): string {
  const end = url.indexOf('?');
  return end === -1 ? url : url.slice(0, end);
}
