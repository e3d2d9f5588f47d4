import type { ApiApproval, ApiApprovalDetail, ApiGrant } from '@postern/client';
import type { Column } from './table.ts';
import { ageOf, localTime } from './times.ts';
import { visibleText } from './visible-text.ts';

export function approvalColumns(now: number): readonly Column<ApiApproval>[] {
  return [
    { title: 'ID', value: ({ id }) => id, isWhole: true },
    { title: 'STATUS', value: ({ status }) => status },
    { title: 'AGE', value: ({ createdAt }) => ageOf(createdAt, now) },
    { title: 'AGENT', value: ({ agent }) => agent },
    { title: 'RISK', value: riskOf },
    { title: 'WHAT', value: ({ summary }) => summary },
    { title: 'REASON', value: ({ reason }) => reason },
    { title: 'NEXT', value: nextOf },
  ];
}

export const GRANT_COLUMNS: readonly Column<ApiGrant>[] = [
  { title: 'ID', value: ({ id }) => id, isWhole: true },
  { title: 'STATE', value: ({ state }) => state },
  { title: 'AGENT', value: ({ agent }) => agent },
  { title: 'KIND', value: ({ kind, usesLeft }) => (usesLeft === undefined ? kind : `${kind} (${usesLeft} left)`) },
  { title: 'EXPIRES', value: ({ expiresAt }) => localTime(expiresAt) },
  { title: 'BY', value: ({ grantedBy }) => grantedBy },
  { title: 'WHAT', value: ({ words }) => words },
];

/** All that somebody needs who decides, with the exact request set apart: what an agent wrote passes for no line of ours. */
export function renderApproval(approval: ApiApprovalDetail, now: number): string {
  const { id, status, request, requestProblem, grants, offers } = approval;
  return [
    `Approval ${id}: ${status}`,
    visibleText(approval.summary),
    '',
    ...factsOf(approval, now).map(([name, value]) => `${name.padEnd(NAME_WIDTH)}${visibleText(value)}`),
    '',
    ...(request === null
      ? [`No request is shown: ${visibleText(requestProblem ?? 'the reason is not known')}`]
      : ['The request, exactly as it will be sent before the credential is added:', ...indented(request.text)]),
    ...(grants.length === 0 ? [] : ['', 'Given:', ...grants.map(grantLine)]),
    ...(offers.length === 0 ? [] : ['', 'It can be approved with --grant:', ...offers.map(offerLine)]),
  ].join('\n');
}

const NAME_WIDTH = 13;

function factsOf(approval: ApiApprovalDetail, now: number): readonly (readonly [name: string, value: string])[] {
  const { agent, environment, createdAt, expiresAt, intent, rule, reason, terms, votes, fingerprint } = approval;
  const facts: (readonly [string, string | undefined])[] = [
    ['Agent', environment === undefined ? agent : `${agent} (environment ${environment})`],
    ['Asked', `${localTime(createdAt)}, ${ageOf(createdAt, now)} ago; pending until ${localTime(expiresAt)}`],
    ['Risk', riskOf(approval)],
    ['Rule', rule],
    ['Reason', reason],
    ['Intent', intent],
    ['Asks for', `${peopleOf(terms)}; at most a grant "${terms.grant}"`],
    ...votes.map((vote) => ['Yes', voteWords(vote)] as const),
    ['Next', nextOf(approval)],
    ['Said', approval.decisionReason],
    ['Fingerprint', fingerprint],
  ];
  return facts.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
}

function riskOf({ risk }: ApiApproval): string | undefined {
  if (risk === undefined) return undefined;
  return risk.labels.length === 0 ? String(risk.score) : `${risk.score} (${risk.labels.join(', ')})`;
}

/** What is missing, or what became of it. */
function nextOf({ missing, decidedBy, decidedAt, deniedUntil }: ApiApproval): string | undefined {
  if (missing !== undefined) return missing.words;
  if (decidedBy === undefined || decidedAt === undefined) return undefined;
  const held = deniedUntil === undefined ? '' : `, asks nobody until ${localTime(deniedUntil)}`;
  return `by ${decidedBy} at ${localTime(decidedAt)}${held}`;
}

function peopleOf({ approvers, groups }: ApiApproval['terms']): string {
  const people = approvers === 1 ? '1 person' : `${approvers} people`;
  return groups.length === 0 ? people : `${people} of each of ${groups.join(', ')}`;
}

function voteWords({ by, groups, at, note, grant, counts }: ApiApproval['votes'][number]): string {
  const membership = groups.length === 0 ? '' : ` (${groups.join(', ')})`;
  const asked = grant === undefined ? '' : `, grant ${grant.kind}${grantEnd(grant)}`;
  const said = note === undefined ? '' : `: ${note}`;
  const lost = counts ? '' : ', no administrator any more: does not count';
  return `${by}${membership} at ${localTime(at)}${asked}${lost}${said}`;
}

function grantEnd({ times, until }: NonNullable<ApiApproval['votes'][number]['grant']>): string {
  if (times !== undefined) return `:${times}`;
  return until === undefined ? '' : `:${until}`;
}

function indented(text: string): string[] {
  return text.split('\n').map((line) => `  ${visibleText(line)}`);
}

function grantLine({ id, state, words }: ApiGrant): string {
  return `  ${id} ${state}: ${visibleText(words)}`;
}

const GRANT_FORMS = { once: 'once', times: 'times:N', until: 'until:TIME', rule: 'rule' } as const;

function offerLine({ kind, words }: ApiApprovalDetail['offers'][number]): string {
  return `  ${GRANT_FORMS[kind].padEnd(11)}${visibleText(words)}`;
}
