import { type Call, type Facts, readingsOf } from '../call.ts';
import { type Condition, evaluateCondition } from './condition.ts';
import { bodyOf, conditionFacts } from './condition-facts.ts';
import { Fault } from './fault.ts';
import type { Evaluation } from './term.ts';

/** The call as an upstream may take it that reads more in the path than is written. */
export interface OtherReading {
  readonly evaluation: Evaluation;
  readonly isOtherPath: boolean;
  readonly isOtherAction: boolean;
  /** A rule that opens must hold for it, too. */
  readonly isLikely: boolean;
}

const PATH_FACTS = ['request.path', 'request.segments'];
const ACTION_FACTS = ['action.name', 'action.risk', 'action.approval'];

/**
 * What a condition says of a call. Where it looks at the path or the action, and an upstream may read another path or action, a rule that
 * closes counts when any reading meets its condition, one that opens when all likely ones do.
 */
export function judgeCondition(condition: Condition, at: Evaluation, opens: boolean): boolean | Fault {
  const said = evaluateCondition(condition, at);
  at.otherReadings ??= otherReadings(at.facts.facts, at.facts.call);
  if (at.otherReadings.length === 0) return said;
  const readsPath = reads(condition, PATH_FACTS);
  const readsAction = reads(condition, ACTION_FACTS);
  if (!readsPath && !readsAction) return said;
  if (readingsOf(at.facts.call).isUnreadable) return new Fault('reads a path that upstreams read in different ways', 0);
  if (said !== opens) return said;
  for (const { evaluation, isOtherPath, isOtherAction, isLikely } of at.otherReadings) {
    if ((isOtherPath && !readsPath) || (isOtherAction && !readsAction) || (opens && !isLikely)) continue;
    shareFacts(condition, at, evaluation);
    const saidThen = evaluateCondition(condition, evaluation);
    if (saidThen !== opens) return saidThen;
  }
  return said;
}

function reads({ facts }: Condition, names: readonly string[]): boolean {
  return names.some((name) => facts.has(name));
}

const NONE: readonly never[] = Object.freeze([]);

function otherReadings(facts: Facts, call: Call): readonly OtherReading[] {
  const { text, isDisguised, isUnreadable } = readingsOf(call);
  if (text === call.path && call.otherActions.length === 0 && !isUnreadable) return NONE;
  const paths = text === call.path ? [text] : [call.path, text];
  const actions = [{ action: facts.action, isBySplit: false }, ...call.otherActions];
  const readings = paths.flatMap((path) =>
    actions.map(({ action, isBySplit }): OtherReading => {
      const isOtherPath = path !== call.path;
      return {
        evaluation: {
          facts: conditionFacts({ ...facts, action }, { ...call, path, action: action?.name }),
          stepsLeft: 0,
          locals: [],
          otherReadings: NONE,
        },
        isOtherPath,
        isOtherAction: action !== facts.action,
        isLikely: !isBySplit && (!isOtherPath || isDisguised),
      };
    }),
  );
  // The first is the call as it is written. Of an unreadable path nothing counts but that it is one.
  return isUnreadable ? readings.slice(0, 1) : readings.slice(1);
}

/** A body is read once, and the risk is that of the call. */
function shareFacts(condition: Condition, { facts }: Evaluation, other: Evaluation): void {
  if (reads(condition, ['request.body', 'request.bodyInspected', 'risk.score', 'risk.labels'])) bodyOf(facts);
  other.facts.body = facts.body;
  other.facts.risk = facts.risk;
}
