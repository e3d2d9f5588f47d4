import { compilePolicy, type PolicyBundle } from '../compile-policy.ts';
import type { Decision } from '../decide.ts';
import { type Explanation, explain } from '../explain.ts';
import { isRecord } from '../read-fields.ts';
import { factsOfCall, NotACall } from './facts-of-call.ts';

export interface PolicyTestReport {
  readonly passed: number;
  readonly failed: number;
  /** In the order of the tests. */
  readonly results: readonly PolicyTestResult[];
}

export interface PolicyTestResult {
  readonly name: string;
  readonly isPassed: boolean;
  /** What was expected and did not come, in words; empty for a passed test. */
  readonly problems: readonly string[];
  /** With every rule in words. Undefined where the call could not be made of what the test says. */
  readonly decision: Explanation | undefined;
}

/** What a test can expect; of what it leaves out anything goes. */
const EXPECTATIONS: ReadonlyMap<string, (decision: Decision) => unknown> = new Map<
  string,
  (decision: Decision) => unknown
>([
  ['outcome', (decision) => decision.outcome],
  ['rule', (decision) => decision.rule],
  ['hard', (decision) => decision.hard],
  ['matched', (decision) => decision.matched],
  ['limits', (decision) => decision.limits.map(({ rule }) => rule)],
  ['shadow', (decision) => decision.shadow.filter(({ matched }) => matched).map(({ rule }) => rule)],
  ['errors', (decision) => decision.errors.map(({ rule }) => rule)],
]);

const TEST_FIELDS: ReadonlySet<string> = new Set(['name', 'call', 'expect']);

/**
 * Runs tests of policy as they stand beside the rules: `tests: [{name, call, expect: {outcome, rule?, …}}]`, where `call` is
 * `{agent, integration, method, path or url, query?, headers?, body? or form?, action?, at?, …}` (see `factsOfCall`). Agents and
 * actions come from the bundle. A test that says what is not understood fails.
 *
 * @throws PolicyError when the bundle is none.
 */
export function runPolicyTests(bundle: PolicyBundle, tests: unknown): PolicyTestReport {
  const policy = compilePolicy(bundle);
  const list = Array.isArray(tests) ? tests : [tests];
  const results = list.map((test: unknown, index): PolicyTestResult => {
    const name = isRecord(test) && typeof test['name'] === 'string' ? test['name'] : `test ${index + 1}`;
    const problems = formProblems(test);
    if (problems.length > 0 || !isRecord(test)) return { name, isPassed: false, problems, decision: undefined };
    try {
      const decision = explain(policy, factsOfCall(bundle, test['call']));
      const missed = missedExpectations(test['expect'], decision);
      return { name, isPassed: missed.length === 0, problems: missed, decision };
    } catch (thrown) {
      if (!(thrown instanceof NotACall)) throw thrown;
      return { name, isPassed: false, problems: [thrown.message], decision: undefined };
    }
  });
  const passed = results.filter(({ isPassed }) => isPassed).length;
  return { passed, failed: results.length - passed, results };
}

function formProblems(test: unknown): string[] {
  if (!isRecord(test)) return ['a test must have name, call and expect'];
  const problems = Object.keys(test)
    .filter((field) => !TEST_FIELDS.has(field))
    .map((field) => `${field} is not a field of a test`);
  const { expect } = test;
  if (!isRecord(expect) || expect['outcome'] === undefined) return [...problems, 'expect must have an outcome'];
  const unknown = Object.keys(expect).filter((field) => !EXPECTATIONS.has(field));
  return [...problems, ...unknown.map((field) => `expect.${field} is not known`)];
}

function missedExpectations(expect: unknown, decision: Decision): string[] {
  const missed: string[] = [];
  for (const [field, expected] of Object.entries(expect as Record<string, unknown>)) {
    const wanted = JSON.stringify(expected);
    const got = JSON.stringify(EXPECTATIONS.get(field)?.(decision));
    if (wanted !== got) missed.push(`${field} is ${got}, not ${wanted}`);
  }
  return missed;
}
