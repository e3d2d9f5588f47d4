import { countWords } from './count-words.ts';
import { visibleText } from './visible-text.ts';

/** What `POST /v1/explain` answers, as far as it is shown. */
export interface Explanation {
  readonly decision: 'allow' | 'deny' | 'require_approval';
  readonly rule: string | null;
  readonly reason: string;
  readonly hard: boolean;
  readonly risk: {
    readonly score: number;
    readonly factors: readonly { readonly name: string; readonly value: number }[];
  };
  readonly action: string | null;
  readonly descriptor: { readonly method: string; readonly url: string };
  readonly fingerprint: string;
  /** `unavailable`: why the call would end without it. */
  readonly credential: { readonly type: string; readonly secret: string | null; readonly unavailable?: string };
  /** Where a person would have to approve the call. */
  readonly approval?: {
    readonly approvers: number;
    readonly groups: readonly string[];
    readonly pendingSeconds: number;
    readonly grant: string;
    readonly executeSeconds: number;
  };
  readonly limits: readonly {
    readonly rule: string;
    readonly requests: number;
    readonly perSeconds: number;
    readonly per: readonly string[];
    readonly remaining?: number;
  }[];
  /** `rule` is null where the call itself could not be judged. */
  readonly errors: readonly { readonly rule: string | null; readonly message: string }[];
  /** Where the tenant has a risk scorer. */
  readonly scorer?: { readonly asked: boolean; readonly words: string };
  readonly policyVersion: string;
  readonly trace: readonly TraceStep[];
}

interface TraceStep {
  readonly rule: string;
  readonly matched: boolean;
  readonly words?: string;
  readonly error?: string;
}

const DECISIONS: Record<Explanation['decision'], string> = {
  allow: 'Allowed',
  deny: 'Denied',
  require_approval: 'A person would have to approve it',
};

/** The decision in words, then every rule that was looked at. */
export function renderExplanation(explanation: Explanation): string {
  const { decision, rule, reason, hard, action, descriptor, scorer, trace, errors } = explanation;
  const by = rule === null ? 'no rule' : `${hard ? 'hard ' : ''}rule ${rule}`;
  const steps = trace.map(({ rule: id, matched, words, error }) => {
    return `  ${matched ? 'matches' : 'not    '}  ${id}: ${words ?? error ?? ''}`.trimEnd();
  });
  const unjudged = errors.filter((error) => error.rule === null);
  const lines = [
    `${DECISIONS[decision]}, by ${by}: ${reason}`,
    ...unjudged.map(({ message }) => `It could not be judged: ${message}`),
    `Call:        ${descriptor.method} ${descriptor.url}`,
    `Action:      ${action ?? 'none'}`,
    `Credential:  ${credentialWords(explanation)}`,
    `Risk:        ${riskWords(explanation)}`,
    ...(scorer === undefined ? [] : [`Scorer:      ${scorer.words}`]),
    ...approvalLines(explanation),
    ...limitLines(explanation),
    `Policy:      version ${explanation.policyVersion}`,
    `Fingerprint: ${explanation.fingerprint}`,
    steps.length === 0 ? 'No rule is for this agent and integration.' : 'Rules for this agent and integration:',
    ...steps,
  ];
  return lines.map(visibleText).join('\n');
}

function credentialWords({ credential: { type, secret, unavailable } }: Explanation): string {
  const words = secret === null ? `no secret (${type})` : `secret ${secret} (${type})`;
  return unavailable === undefined ? words : `${words}, which would not be opened: ${unavailable}`;
}

/** `0.5: tier:medium 0.3 + label:shell 0.2` */
function riskWords({ risk: { score, factors } }: Explanation): string {
  return `${score}: ${factors.map(({ name, value }) => `${name} ${value}`).join(' + ')}`;
}

function approvalLines({ approval }: Explanation): string[] {
  if (approval === undefined) return [];
  const { approvers, groups, pendingSeconds, grant, executeSeconds } = approval;
  const people = approvers === 1 ? 'one person' : `${approvers} people`;
  const who = groups.length === 0 ? people : `${people} of each of ${groups.join(', ')}`;
  const grants = `the widest grant: ${grant}, to be used within ${countWords(executeSeconds, 'second')}`;
  return [`Approval:    ${who} within ${countWords(pendingSeconds, 'second')}; ${grants}`];
}

function limitLines({ limits }: Explanation): string[] {
  return limits.map(({ rule, requests, perSeconds, per, remaining }) => {
    const left = remaining === undefined ? '' : `, ${remaining} left`;
    return `Limit:       ${rule}: ${requests} in ${countWords(perSeconds, 'second')} per ${per.join(', ')}${left}`;
  });
}
