import { expect, test } from 'vitest';
import { type CountOptions, countResults } from './test-counts.ts';

type Status = 'passed' | 'failed' | 'skipped' | 'todo';

function count(
  statuses: readonly Status[],
  options: Partial<CountOptions> & { fileStatus?: string; message?: string } = {},
) {
  const { fileStatus = statuses.includes('failed') ? 'failed' : 'passed', message = '', ...rest } = options;
  const assertionResults = statuses.map((status, index) => ({
    status,
    fullName: `test ${index}`,
    failureMessages: status === 'failed' ? ['Error: wrong\n at line'] : [],
  }));
  const report = { testResults: [{ name: '/clone/a.test.ts', status: fileStatus, message, assertionResults }] };
  return countResults({ project: 'unit', report, ended: undefined, isCi: false, root: '/clone', ...rest });
}

test('passed and failed tests are counted, the failed ones named', () => {
  expect(count(['passed', 'failed', 'passed'], { ended: 'exit code 1' })).toEqual({
    passed: 2,
    failures: ['a.test.ts: test 1: Error: wrong'],
  });
});

test.each<Status>(['skipped', 'todo'])(
  'a test that is %s counts as failed in CI and not at all elsewhere',
  (status) => {
    expect(count(['passed', status], { isCi: true })).toEqual({ passed: 1, failures: ['a.test.ts: test 1: skipped'] });
    expect(count(['passed', status])).toEqual({ passed: 1, failures: [] });
  },
);

test('a file that cannot be loaded counts as one failed', () => {
  const counts = count([], { fileStatus: 'failed', message: '\nSyntaxError: bad', ended: 'exit code 1' });
  expect(counts).toEqual({ passed: 0, failures: ['a.test.ts: SyntaxError: bad'] });
});

test('an error outside any test counts as one failed', () => {
  expect(count(['passed'], { ended: 'exit code 1' })).toEqual({
    passed: 1,
    failures: ['unit: vitest ended with exit code 1'],
  });
});

test('a run without a report, and one without a test, count as one failed', () => {
  expect(count([], { report: undefined, ended: 'exit code 1' }).failures).toEqual([
    'unit: no result, vitest exit code 1',
  ]);
  expect(count([]).failures).toEqual(['unit: no test ran']);
});
