import type { CompiledPolicy } from '@postern/policy';

/** What some condition of a policy looks at, of all that costs something to find out. */
export interface FactsRead {
  readonly headers: boolean;
  readonly body: boolean;
  readonly counts: boolean;
  /** Whether any rule has a condition. */
  readonly conditions: boolean;
}

export const ALL_FACTS: FactsRead = { headers: true, body: true, counts: true, conditions: true };

/** Risk is scored on the body too. */
const BODY_FACTS = ['request.body', 'request.bodyInspected', 'risk.score', 'risk.labels'];
const COUNT_FACTS = ['count.minute', 'count.hour', 'count.day'];

/** Rules in shadow read too. */
export function factsRead({ rules }: CompiledPolicy): FactsRead {
  const reads = (names: readonly string[]) => {
    return rules.some(({ when }) => when !== undefined && names.some((name) => when.facts.has(name)));
  };
  return {
    headers: reads(['request.headers']),
    body: reads(BODY_FACTS),
    counts: reads(COUNT_FACTS),
    conditions: rules.some(({ when }) => when !== undefined),
  };
}
