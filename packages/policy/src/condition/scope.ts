/** What an expression may name where it stands. */
export interface Scope {
  /** Variables of the macros around, with their place in `Evaluation.locals`. */
  readonly locals: ReadonlyMap<string, number>;
  readonly depth: number;
  /** Facts that the phase of the rule lacks, `root` or `root.field`, with the reason. */
  readonly lacks: ReadonlyMap<string, string>;
  /** Grows while terms are compiled. */
  readonly found: Found;
}

export interface Found {
  /** Operations, which is what one run without macros costs. */
  steps: number;
  /** The facts named, as `root.field`. */
  readonly facts: Set<string>;
}

/** The scope of a macro's body, with its variable. */
export function scopeWith(scope: Scope, variable: string): Scope {
  const locals = new Map(scope.locals).set(variable, scope.depth);
  return { ...scope, locals, depth: scope.depth + 1 };
}
