/** A call may make a condition take at most this many steps (see `charge`); the next one is a fault. */
export const STEPS_MAX = 100_000;

/**
 * Why a condition has no value for a call. Thrown, and no `Error`: a body can make one condition fail thousands of times, and a stack
 * trace for each would cost more than the rest of the call. Its message is of the rule alone and holds nothing of the call.
 */
export class Fault {
  readonly kind: FaultKind;
  readonly message: string;
  /** Characters from the start of the expression. */
  readonly position: number;

  constructor(message: string, position: number, kind: FaultKind = 'error') {
    this.kind = kind;
    this.message = message;
    this.position = position;
  }
}

/**
 * `error`: the value is an error, which `||`, `&&`, `all` and `exists` may still decide without. `undetermined`: it depends on what was
 * not kept of a recorded call. `exhausted`: no steps left; nothing decides without it.
 */
export type FaultKind = 'error' | 'undetermined' | 'exhausted';

/** Of two operands without a value, the one to tell: what was not kept might have decided, so it goes before an error. */
export function graverFault(left: Fault, right: Fault): Fault {
  return right.kind === 'undetermined' && left.kind !== 'undetermined' ? right : left;
}

/** The fault that was thrown and may be absorbed; throws again whatever may not. */
export function absorbed(thrown: unknown): Fault {
  if (thrown instanceof Fault && thrown.kind !== 'exhausted') return thrown;
  throw thrown;
}
