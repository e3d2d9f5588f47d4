import type { CompiledPolicy } from '@postern/policy';

/** What some condition of a policy looks at, of what costs something to find out. The body is of interest always, for the risk in it. */
export interface FactsRead {
  readonly headers: boolean;
  readonly counts: boolean;
  /** Whether any rule has a condition. */
  readonly conditions: boolean;
}

export const ALL_FACTS: FactsRead = { headers: true, counts: true, conditions: true };

const COUNT_FACTS = ['count.minute', 'count.hour', 'count.day'];

/** Rules in shadow read too. */
export function factsRead({ rules }: CompiledPolicy): FactsRead {
  const reads = (names: readonly string[]) => {
    return rules.some(({ when }) => when !== undefined && names.some((name) => when.facts.has(name)));
  };
  return {
    headers: reads(['request.headers']),
    counts: reads(COUNT_FACTS),
    conditions: rules.some(({ when }) => when !== undefined),
  };
}
