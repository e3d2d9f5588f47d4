import type { Outcome } from '@postern/schemas';
import type { CompiledPolicy } from '../compile-policy.ts';
import { type ChangedOutcome, compareRecorded, type OpenRule } from './compare-recorded.ts';
import type { RecordedFacts, ToldOutcome } from './recorded-facts.ts';

/** What a draft would have changed. Every call is in exactly one of `unchanged`, `changed` and `undetermined`. */
export interface Simulation {
  readonly calls: number;
  readonly unchanged: number;
  /** In the order of the calls. */
  readonly changed: readonly ChangedCall[];
  /** The changed outcomes again, by the rule that brings them; the most calls first. */
  readonly byRule: readonly ChangeByRule[];
  /** Calls of which it cannot be told, since a rule that matters reads what was not kept. In the order of the calls. */
  readonly undetermined: readonly UndeterminedCall[];
}

interface PlacedCall {
  /** Place among the recorded calls, from 0. */
  readonly index: number;
  readonly id: string | undefined;
}

export interface ChangedCall extends PlacedCall {
  readonly before: ToldOutcome;
  readonly after: ChangedOutcome;
}

export interface ChangeByRule {
  /** The rule told by the draft; where none is, the one the draft lacks. */
  readonly rule: string | null;
  readonly before: Outcome;
  readonly after: Outcome;
  /** Places of the calls. */
  readonly calls: readonly number[];
}

export interface UndeterminedCall extends PlacedCall {
  /** All outcomes it can have had. */
  readonly before: readonly Outcome[];
  readonly after: readonly Outcome[];
  readonly rules: readonly OpenRule[];
}

/**
 * Judges recorded calls by the policy in force and by a draft, and tells which outcomes differ. Pure: counters are not run, so a rate
 * limit changes nothing here, and neither do rules in shadow.
 */
export function simulate(current: CompiledPolicy, draft: CompiledPolicy, calls: Iterable<RecordedFacts>): Simulation {
  const changed: ChangedCall[] = [];
  const undetermined: UndeterminedCall[] = [];
  let index = 0;
  for (const facts of calls) {
    const place = { index, id: facts.id };
    const told = compareRecorded(current, draft, facts);
    if (told.kind === 'changed') changed.push({ ...place, before: told.before, after: told.after });
    else if (told.kind === 'undetermined') {
      undetermined.push({ ...place, before: told.before, after: told.after, rules: told.rules });
    }
    index += 1;
  }
  const unchanged = index - changed.length - undetermined.length;
  return { calls: index, unchanged, changed, byRule: groupByRule(changed), undetermined };
}

function groupByRule(changed: readonly ChangedCall[]): ChangeByRule[] {
  const groups = new Map<string, ChangeByRule & { readonly calls: number[] }>();
  for (const { before, after, index } of changed) {
    const rule = after.rule ?? before.rule;
    const key = JSON.stringify([rule, before.outcome, after.outcome]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { rule, before: before.outcome, after: after.outcome, calls: [index] });
    else group.calls.push(index);
  }
  return [...groups.values()].sort((left, right) => {
    return right.calls.length - left.calls.length || ((left.rule ?? '') < (right.rule ?? '') ? -1 : 1);
  });
}
