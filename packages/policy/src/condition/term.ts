import type { ConditionFacts } from './condition-facts.ts';
import { Fault, STEPS_MAX } from './fault.ts';
import type { OtherReading } from './readings-of-call.ts';
import type { Value } from './value.ts';

/** A compiled part of an expression: its value for a call. Throws `Fault`. */
export type Term = (at: Evaluation) => Value;

/** One call being judged. The same object serves all conditions of a call, one after the other. */
export interface Evaluation {
  readonly facts: ConditionFacts;
  stepsLeft: number;
  /** Values of the variables of `all`, `exists`, `map` and `filter`, by depth. */
  readonly locals: Value[];
  /** Of the same call; found out when the first condition is judged. */
  otherReadings: readonly OtherReading[] | undefined;
}

/** What it costs that a fault is thrown and absorbed. */
export const FAULT_STEPS = 25;

/**
 * Takes `steps` off what a condition may spend. A step is one operation of the expression: all of them when it begins, those of a
 * macro's body for each item, and one for every few items or characters that an operation has to look at.
 */
export function charge(at: Evaluation, steps: number, position: number): void {
  at.stepsLeft -= steps;
  if (at.stepsLeft < 0) throw new Fault(`takes more than ${STEPS_MAX} steps`, position, 'exhausted');
}
