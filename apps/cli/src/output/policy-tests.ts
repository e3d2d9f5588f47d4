import type { PolicyTestResult } from '@postern/policy';
import type { PolicyTestRun } from '../policy-test-file.ts';
import { countWords } from './count-words.ts';
import { visibleText } from './visible-text.ts';

type Run = Exclude<PolicyTestRun, { readonly kind: 'other' }>;

/** What failed, with every rule in words, and how many passed. Ends without a line break. */
export function renderRuns(runs: readonly Run[]): string {
  const failures = runs.flatMap((run) => {
    if (run.kind === 'faulty')
      return [['FAULTY ', visibleText(run.name)].join(''), ...run.faults.map((fault) => `  ${visibleText(fault)}`), ''];
    return run.report.results.flatMap((result, index) => {
      if (result.isPassed) return [];
      const line = run.lineOf(index);
      return failureLines(line === undefined ? run.name : `${run.name}:${line}`, result);
    });
  });
  const passed = sumOf(runs, 'passed');
  const failed = sumOf(runs, 'failed');
  const total = `${countWords(passed + failed, 'test')} in ${countWords(runs.length, 'file')}: ${passed} passed, ${failed} failed`;
  const faulty = runs.filter(({ kind }) => kind === 'faulty').length;
  return [...failures, faulty === 0 ? `${total}.` : `${total}; ${countWords(faulty, 'file')} could not be run.`].join(
    '\n',
  );
}

function failureLines(place: string, { name, problems, decision }: PolicyTestResult): string[] {
  const lines = [`FAILED ${name} (${place})`, ...problems.map((problem) => `  ${problem}`)];
  if (decision !== undefined) {
    lines.push(
      `  Decided: ${decision.outcome}, by ${decision.rule === null ? 'no rule' : decision.rule}: ${decision.reason}`,
    );
    for (const { rule, matched, words } of decision.trace)
      lines.push(`    ${matched ? 'matches' : 'not    '}  ${rule}: ${words}`);
  }
  return [...lines.map(visibleText), ''];
}

/** For scripts: `{passed, failed, files: [{file, passed, failed, results}]}`; a file that could not be run has `faults` instead. */
export function jsonOfRuns(runs: readonly Run[]): object {
  const files = runs.map((run) => {
    if (run.kind === 'faulty') return { file: run.name, faults: run.faults };
    const { passed, failed, results } = run.report;
    return {
      file: run.name,
      passed,
      failed,
      results: results.map((result, index) => ({ line: run.lineOf(index), ...result })),
    };
  });
  return { passed: sumOf(runs, 'passed'), failed: sumOf(runs, 'failed'), files };
}

function sumOf(runs: readonly Run[], count: 'passed' | 'failed'): number {
  return runs.reduce((sum, run) => sum + (run.kind === 'run' ? run.report[count] : 0), 0);
}
