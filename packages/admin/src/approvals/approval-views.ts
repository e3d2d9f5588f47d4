import { describeGrant, type GrantContext, grantKindsAllowed, visibleText } from '@postern/approvals';
import {
  APPROVAL_STATUSES,
  type ApprovalRecord,
  type ApprovalSummary,
  type ApprovalVote,
  GRANT_KINDS,
  type GrantKind,
  type GrantRecord,
} from '@postern/db/ports';
import { z } from 'zod';
import { isoTime } from '../views.ts';
import { type Electorate, verdictOf } from './electorate.ts';
import { grantView, viewGrant } from './grant-views.ts';
import type { SealedCopy } from './sealed-copy.ts';

const time = z.string().describe('ISO 8601, UTC');
const grantAsked = z.object({ kind: z.enum(GRANT_KINDS), times: z.int().optional(), until: time.optional() });

const voteView = z.object({
  by: z.string(),
  groups: z.array(z.string()).describe('As they were then'),
  at: time,
  note: z.string().optional(),
  grant: grantAsked.optional().describe('Absent: once'),
  counts: z.boolean().describe('False: this person is no administrator any more'),
});

export const approvalView = z.object({
  id: z.string(),
  status: z.enum(APPROVAL_STATUSES).describe('As it reads now: over at the end of its window'),
  createdAt: time,
  expiresAt: time.describe('End of the pending window'),
  summary: z.string().describe('One line'),
  agent: z.string(),
  environment: z.string().optional(),
  integration: z.string(),
  action: z.string().optional(),
  method: z.string(),
  url: z.string().describe('The canonical URL'),
  intent: z.string().optional().describe("The agent's stated purpose, with visible characters only"),
  risk: z.object({ score: z.number(), labels: z.array(z.string()) }).optional(),
  rule: z.string().optional().describe('The rule that asks'),
  reason: z.string().optional(),
  policyVersion: z.string().optional(),
  fingerprint: z.string(),
  requestId: z.string().describe('Of the call that asked'),
  idempotencyKey: z.string().optional(),
  terms: z.object({
    approvers: z.int().describe('Distinct people; of each group, when groups are given'),
    groups: z.array(z.string()),
    pendingSeconds: z.int(),
    executeSeconds: z.int(),
    grant: z.enum(GRANT_KINDS).describe('The widest grant that may be given'),
  }),
  votes: z.array(voteView),
  missing: z
    .object({
      words: z.string(),
      seats: z.array(z.object({ groups: z.array(z.string()).describe('Empty: anybody'), count: z.int() })),
    })
    .optional()
    .describe('While it is pending: who must approve still'),
  approvedAt: time.optional(),
  executeUntil: time.optional(),
  decidedBy: z.string().optional(),
  decidedAt: time.optional(),
  decisionReason: z.string().optional(),
  deniedUntil: time.optional().describe('Until then the same call asks nobody'),
  executedBy: z.string().optional().describe('Request id of the first execution'),
});

const bodyView = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('none') }),
  z.object({
    kind: z.enum(['text', 'hex']),
    text: z.string(),
    bytes: z.int(),
    shownBytes: z.int(),
    truncated: z.boolean(),
    digest: z.string().describe('`sha-256:` + hex of the whole body'),
    hasHidden: z.boolean(),
  }),
]);

export const approvalDetailView = approvalView.extend({
  request: z
    .object({
      method: z.string(),
      url: z.string(),
      headers: z.array(z.tuple([z.string(), z.string()])),
      body: bodyView,
      text: z.string().describe('All of it in lines'),
    })
    .nullable()
    .describe('The exact request that will be sent, before the credential; what hides is written as \\u{…}'),
  requestProblem: z.string().optional().describe('Why there is no request; then nothing can be approved'),
  warnings: z.array(z.string()),
  descriptor: z.unknown().describe('What the fingerprint is of, exactly'),
  offers: z
    .array(z.object({ kind: z.enum(GRANT_KINDS), words: z.string() }))
    .describe('Grants that the terms allow, and what each would let pass if it were given now'),
  grants: z.array(grantView),
});

export function viewApproval(approval: ApprovalSummary, electorate: Electorate): z.output<typeof approvalView> {
  const { id, status, createdAt, expiresAt, summary, terms, claimKey, executedBy } = approval;
  return {
    id,
    status,
    createdAt: isoTime(createdAt),
    expiresAt: isoTime(expiresAt),
    summary,
    ...subjectOf(approval),
    ...(claimKey === undefined ? {} : { idempotencyKey: claimKey }),
    terms: { ...terms, groups: [...terms.groups] },
    votes: approval.votes.map((vote) => viewVote(vote, electorate)),
    ...missingOf(approval, electorate),
    ...decisionOf(approval),
    ...(executedBy === undefined ? {} : { executedBy }),
  };
}

export function viewApprovalDetail(
  approval: ApprovalRecord,
  electorate: Electorate,
  shown: { readonly copy: SealedCopy; readonly context: GrantContext; readonly grants: readonly GrantRecord[] },
): z.output<typeof approvalDetailView> {
  const { copy, context, grants } = shown;
  return {
    ...viewApproval(approval, electorate),
    ...requestOf(copy),
    descriptor: JSON.parse(approval.descriptor) as unknown,
    offers: approval.status === 'pending' ? offersOf(approval, context) : [],
    grants: grants.map(viewGrant),
  };
}

function subjectOf(approval: ApprovalSummary) {
  const { agent, environment, integration, action, method, url, intent, risk, rule, reason, policyVersion } = approval;
  return {
    agent,
    ...(environment === undefined ? {} : { environment }),
    integration,
    ...(action === undefined ? {} : { action }),
    method,
    url,
    ...(intent === undefined ? {} : { intent: visibleText(intent) }),
    ...(risk === undefined ? {} : { risk: { score: risk.score, labels: [...risk.labels] } }),
    ...(rule === undefined ? {} : { rule }),
    ...(reason === undefined ? {} : { reason }),
    ...(policyVersion === undefined ? {} : { policyVersion }),
    fingerprint: approval.fingerprint,
    requestId: approval.requestId,
  };
}

function viewVote({ by, groups, at, note, grant }: ApprovalVote, { votes }: Electorate): z.output<typeof voteView> {
  return {
    by,
    groups: [...groups],
    at: isoTime(at),
    ...(note === undefined ? {} : { note }),
    ...(grant === undefined ? {} : { grant: viewGrantAsked(grant) }),
    counts: votes.some((vote) => vote.by === by),
  };
}

function viewGrantAsked({ kind, times, until }: NonNullable<ApprovalVote['grant']>): z.output<typeof grantAsked> {
  return {
    kind,
    ...(times === undefined ? {} : { times }),
    ...(until === undefined ? {} : { until: isoTime(until) }),
  };
}

function missingOf(approval: ApprovalSummary, electorate: Electorate) {
  if (approval.status !== 'pending') return {};
  const verdict = verdictOf(approval, electorate);
  if (verdict.outcome !== 'pending') return {};
  const seats = verdict.missing.map(({ groups, count }) => ({ groups: [...groups], count }));
  return { missing: { words: verdict.words, seats } };
}

function decisionOf(approval: ApprovalSummary) {
  const { approvedAt, executeUntil, decidedBy, decidedAt, decisionReason, deniedUntil } = approval;
  return {
    ...(approvedAt === undefined ? {} : { approvedAt: isoTime(approvedAt) }),
    ...(executeUntil === undefined ? {} : { executeUntil: isoTime(executeUntil) }),
    ...(decidedBy === undefined ? {} : { decidedBy }),
    ...(decidedAt === undefined ? {} : { decidedAt: isoTime(decidedAt) }),
    ...(decisionReason === undefined ? {} : { decisionReason }),
    ...(deniedUntil === undefined ? {} : { deniedUntil: isoTime(deniedUntil) }),
  };
}

function requestOf(copy: SealedCopy) {
  if (!copy.isApprovable) return { request: null, requestProblem: copy.words, warnings: [] };
  const { method, url, headers, body, warnings, text } = copy.rendered;
  const request = { method, url, headers: headers.map(([name, value]): [string, string] => [name, value]), body, text };
  return { request, warnings: [...warnings] };
}

function offersOf({ agent }: ApprovalRecord, context: GrantContext): { kind: GrantKind; words: string }[] {
  return grantKindsAllowed(context).map((kind) => ({ kind, words: wordsOf(kind, agent, context) }));
}

function wordsOf(kind: GrantKind, agent: string, { caps, terms, scope, now }: GrantContext): string {
  const expiresAt = now + terms.executeSeconds * 1_000;
  switch (kind) {
    case 'once':
      return describeGrant({ kind, expiresAt }, agent);
    case 'times':
      return `${describeGrant({ kind, times: caps.timesMax, expiresAt }, agent)} (At most; you name the number.)`;
    case 'until': {
      const words = describeGrant({ kind, expiresAt: now + caps.untilSecondsMax * 1_000 }, agent);
      return `${words} (At most; you name the time.)`;
    }
    case 'rule': {
      if (scope === undefined) throw new TypeError('a standing grant is offered for calls with a scope alone');
      return describeGrant({ kind, scope, expiresAt: now + caps.ruleSeconds * 1_000 }, agent);
    }
  }
}
