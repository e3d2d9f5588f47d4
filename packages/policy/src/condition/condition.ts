import { type ASTNode, Environment } from '@marcbachmann/cel-js';
import { compileTerm } from './compile-term.ts';
import { FACT_FIELDS } from './condition-facts.ts';
import { Fault, STEPS_MAX } from './fault.ts';
import type { Scope } from './scope.ts';
import type { Evaluation, Term } from './term.ts';

const TEXT_LENGTH_MAX = 16_384;

/** A `when` expression, ready. */
export interface Condition {
  readonly text: string;
  readonly term: Term;
  /** What it costs before any macro. */
  readonly steps: number;
  /** The facts it names, as `root.field`. */
  readonly facts: ReadonlySet<string>;
}

/**
 * Parses, checks and compiles an expression. `lacks` names the facts (`root` or `root.field`) that the phase does not have, with the
 * reason.
 *
 * @throws Fault with the position of the first fault.
 */
export function compileCondition(text: string, lacks: ReadonlyMap<string, string>): Condition {
  if (text.length > TEXT_LENGTH_MAX) throw new Fault(`has more than ${TEXT_LENGTH_MAX} characters`, TEXT_LENGTH_MAX);
  const ast = checkedTree(text);
  const scope: Scope = { locals: new Map(), depth: 0, lacks, found: { steps: 0, facts: new Set() } };
  const { term } = compileTerm(ast, scope);
  return { text, term, steps: scope.found.steps, facts: scope.found.facts };
}

/** What the condition says of a call, or why it says nothing. */
export function evaluateCondition(condition: Condition, at: Evaluation): boolean | Fault {
  at.stepsLeft = STEPS_MAX - condition.steps;
  try {
    const value = condition.term(at);
    return typeof value === 'boolean' ? value : new Fault('is not true or false', 0);
  } catch (thrown) {
    return thrown instanceof Fault ? thrown : new Fault('could not be evaluated', 0);
  }
}

/** Standard functions that the library does not know; here it only needs their types. */
const MISSING_FUNCTIONS = [
  'string(google.protobuf.Timestamp): string',
  'string(google.protobuf.Duration): string',
  'int(google.protobuf.Timestamp): int',
  'timestamp(google.protobuf.Timestamp): google.protobuf.Timestamp',
  'duration(google.protobuf.Duration): google.protobuf.Duration',
  'matches(string, string): bool',
];

/** The language's types of all facts; parsing and type checks are the library's, values and functions are ours. */
const ENVIRONMENT = createEnvironment();

function createEnvironment(): Environment {
  const environment = new Environment({
    homogeneousAggregateLiterals: false,
    limits: { maxAstNodes: 5000, maxDepth: 100 },
  });
  for (const [root, fields] of FACT_FIELDS) {
    const typeName = `postern.${root}`;
    const types = Object.fromEntries([...fields].map(([name, { type }]) => [name, type]));
    environment.registerType(typeName, { fields: types });
    environment.registerVariable(root, typeName);
  }
  for (const signature of MISSING_FUNCTIONS) environment.registerFunction(signature, neverRuns);
  return environment;
}

function neverRuns(): never {
  throw new TypeError('conditions are not run by the library');
}

function checkedTree(text: string): ASTNode {
  const parsed = parsedTree(text);
  const { valid, type, error } = parsed.check();
  if (!valid) throw faultOf(error);
  if (type !== 'bool' && type !== 'dyn') throw new Fault(`must be true or false, and is ${type}`, 0);
  return parsed.ast;
}

function parsedTree(text: string): ReturnType<Environment['parse']> {
  try {
    return ENVIRONMENT.parse(text);
  } catch (cause) {
    throw faultOf(cause);
  }
}

/** The library's errors have a `summary` and a `range`; their message quotes the expression over several lines. */
function faultOf(error: unknown): Fault {
  const { summary, message, range } = error as { summary?: string; message?: string; range?: { start: number } };
  return new Fault(`is no valid expression: ${summary ?? message ?? 'unknown fault'}`, range?.start ?? 0);
}
