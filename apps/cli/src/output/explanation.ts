import { visibleText } from './visible-text.ts';

/** What `POST /v1/explain` answers, as far as it is shown. */
export interface Explanation {
  readonly decision: 'allow' | 'deny' | 'require_approval';
  readonly rule: string | null;
  readonly reason: string;
  readonly hard: boolean;
  readonly action: string | null;
  readonly descriptor: { readonly method: string; readonly url: string };
  readonly credential: { readonly type: string; readonly secret: string | null };
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
  const { decision, rule, reason, hard, action, descriptor, credential, trace } = explanation;
  const by = rule === null ? 'no rule' : `${hard ? 'hard ' : ''}rule ${rule}`;
  const sent =
    credential.secret === null ? `no secret (${credential.type})` : `secret ${credential.secret} (${credential.type})`;
  const steps = trace.map(({ rule: id, matched, words, error }) => {
    return `  ${matched ? 'matches' : 'not    '}  ${id}: ${error ?? words ?? ''}`.trimEnd();
  });
  const lines = [
    `${DECISIONS[decision]}, by ${by}: ${reason}`,
    `Call:       ${descriptor.method} ${descriptor.url}`,
    `Action:     ${action ?? 'none'}`,
    `Credential: ${sent}`,
    steps.length === 0 ? 'No rule is for this agent and integration.' : 'Rules for this agent and integration:',
    ...steps,
  ];
  return lines.map(visibleText).join('\n');
}
