import type { Outcome } from '@postern/schemas';
import type { CompiledPolicy } from '../compile-policy.ts';
import { judgeRecorded, type RecordedVerdict, RISK, type Undetermined } from './judge-recorded.ts';
import type { RecordedFacts, ToldOutcome } from './recorded-facts.ts';

/** What a draft makes of one recorded call, beside the policy in force. */
export type RecordedComparison =
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'changed'; readonly before: ToldOutcome; readonly after: ChangedOutcome }
  | {
      readonly kind: 'undetermined';
      /** All outcomes it can have had. */
      readonly before: readonly Outcome[];
      readonly after: readonly Outcome[];
      readonly rules: readonly OpenRule[];
    };

export interface ChangedOutcome extends ToldOutcome {
  /** Where the risk of the call was not kept: all that it could come to. None is what it was. `outcome` is what the rules say. */
  readonly possible?: readonly Outcome[];
}

/** A rule of which it cannot be told whether it matched. */
export type OpenRule = Undetermined & { readonly policy: 'current' | 'draft' };

/** Judges a recorded call by both policies. Pure: counters are not run, so a rate limit changes nothing, and neither do rules in shadow. */
export function compareRecorded(
  current: CompiledPolicy,
  draft: CompiledPolicy,
  facts: RecordedFacts,
): RecordedComparison {
  const before = facts.decided === undefined ? readVerdict(judgeRecorded(current, facts)) : settled(facts.decided);
  const after = readVerdict(judgeRecorded(draft, facts));
  const isSure = before.possible.length === 1 && after.possible.length === 1;
  if (!isSure && !isChangedAnyhow(before, after)) {
    const rules = [...openRules(before, 'current'), ...openRules(after, 'draft')];
    return { kind: 'undetermined', before: before.possible, after: after.possible, rules };
  }
  if (isSure && before.told.outcome === after.told.outcome) return { kind: 'unchanged' };
  const told = isSure ? after.told : { ...after.told, possible: after.possible };
  return { kind: 'changed', before: before.told, after: told };
}

/** What the rules say is known, and no risk of the call can make of it what it was before. */
function isChangedAnyhow(before: ReadVerdict, { possible, undetermined }: ReadVerdict): boolean {
  const [outcome] = before.possible;
  if (before.possible.length !== 1 || possible.some((after) => after === outcome)) return false;
  return undetermined.every(({ rule }) => rule === RISK);
}

interface ReadVerdict {
  readonly told: ToldOutcome;
  readonly possible: readonly Outcome[];
  readonly undetermined: readonly Undetermined[];
}

function readVerdict({ verdict, possible, undetermined }: RecordedVerdict): ReadVerdict {
  return { told: { outcome: verdict.outcome, rule: verdict.rule }, possible, undetermined };
}

function settled(told: ToldOutcome): ReadVerdict {
  return { told, possible: [told.outcome], undetermined: [] };
}

function openRules({ undetermined }: ReadVerdict, policy: OpenRule['policy']): OpenRule[] {
  return undetermined.map((open) => ({ policy, ...open }));
}
