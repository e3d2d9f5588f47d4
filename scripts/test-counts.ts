import path from 'node:path';

export interface Counts {
  readonly passed: number;
  /** One line for each failed test or step. */
  readonly failures: readonly string[];
}

/** The part of vitest's JSON report that is read. */
export interface VitestReport {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      readonly failureMessages?: readonly string[] | null;
    }[];
  }[];
}

export interface CountOptions {
  readonly project: string;
  /** Undefined when vitest wrote none. */
  readonly report: VitestReport | undefined;
  /** How vitest ended when its exit code was not 0. */
  readonly ended: string | undefined;
  /** In CI nothing is skipped: a skipped test counts as failed. */
  readonly isCi: boolean;
  readonly root: string;
}

export function countResults({ project, report, ended, isCi, root }: CountOptions): Counts {
  if (report === undefined)
    return { passed: 0, failures: [`${project}: no result, vitest ${ended ?? 'wrote no report'}`] };
  let passed = 0;
  const failures: string[] = [];
  for (const file of report.testResults) {
    const name = path.relative(root, file.name);
    const failed = file.assertionResults.filter(({ status }) => status === 'failed');
    const skipped = file.assertionResults.filter(({ status }) => status !== 'failed' && status !== 'passed');
    passed += file.assertionResults.length - failed.length - skipped.length;
    failures.push(...failed.map((each) => `${name}: ${each.fullName}: ${firstLine(each.failureMessages?.[0])}`));
    if (isCi) failures.push(...skipped.map((each) => `${name}: ${each.fullName}: skipped`));
    // A file that cannot be loaded, or whose hook fails, has no failed test of its own.
    if (file.status === 'failed' && failed.length === 0) failures.push(`${name}: ${firstLine(file.message)}`);
  }
  if (passed === 0 && failures.length === 0) failures.push(`${project}: no test ran`);
  // An error outside any test, such as an unhandled rejection.
  if (ended !== undefined && failures.length === 0) failures.push(`${project}: vitest ended with ${ended}`);
  return { passed, failures };
}

function firstLine(text: string | undefined): string {
  return (
    text
      ?.split('\n')
      .find((line) => line.trim() !== '')
      ?.trim() ?? 'failed'
  );
}
