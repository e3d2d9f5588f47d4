import type { Problem } from '@postern/schemas';

/** A refusal by the control plane, with its problem document (RFC 9457). `message` is the document's `detail`. */
export class ApiProblem extends Error {
  override readonly name = 'ApiProblem';
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }

  get code(): Problem['code'] {
    return this.problem.code;
  }

  get status(): number {
    return this.problem.status;
  }
}

/** No answer of the control plane: the connection failed, it took too long, or something else answered in its place. */
export class ApiUnreachable extends Error {
  override readonly name = 'ApiUnreachable';
}

export function isProblem(value: unknown): value is Problem {
  if (typeof value !== 'object' || value === null) return false;
  const { code, detail, status } = value as Partial<Problem>;
  return typeof code === 'string' && typeof detail === 'string' && typeof status === 'number';
}
