import { ApiProblem, ApiUnreachable } from '@postern/client';
import type { Problem } from '@postern/schemas';
import { describe, expect, test } from 'vitest';
import { recordedContext } from './context.test-support.ts';
import { Failure, Misuse } from './exit.ts';
import { describeProblem, reportError } from './report-error.ts';

const PROBLEM: Problem = {
  type: 'https://postern.dev/problems/validation_failed',
  title: 'The document is not valid',
  status: 422,
  detail: 'Two faults were found.',
  code: 'validation_failed',
  requestId: 'req-1',
  retryable: false,
  issues: [
    { field: 'rules[0].paths', message: 'must begin with "/"', line: 9 },
    { field: '', message: 'must not be empty' },
  ],
};

function report(error: unknown) {
  const context = recordedContext();
  return { exitCode: reportError(context, error), notes: context.noted(), out: context.written() };
}

describe('a refusal of the gateway', () => {
  test('is told with title, detail, each fault with its place, and the request id', () => {
    expect(report(new ApiProblem(PROBLEM))).toEqual({
      exitCode: 1,
      out: '',
      notes: [
        'postern: The document is not valid: Two faults were found.',
        '  line 9: rules[0].paths: must begin with "/"',
        '  must not be empty',
        '  Request id: req-1',
        '',
      ].join('\n'),
    });
  });

  test('of a file is told with the lines that the file has', () => {
    const { lines } = describeProblem(PROBLEM, {
      name: 'postern.yaml',
      lineOf: (field) => (field === '' ? undefined : 3),
    });
    expect(lines).toEqual([
      'postern.yaml:3: rules[0].paths: must begin with "/"',
      'postern.yaml:1: must not be empty',
      'Request id: req-1',
    ]);
  });

  test('says when to try again', () => {
    const { issues: _issues, ...limited } = { ...PROBLEM, retryAfterSeconds: 30 };
    expect(describeProblem(limited).lines).toEqual(['Try again in 30 s.', 'Request id: req-1']);
  });

  test('cannot forge lines of its own', () => {
    const { notes } = report(new ApiProblem({ ...PROBLEM, issues: [], detail: 'x\npostern: all is well\u001b[1A' }));
    expect(notes).toBe('postern: The document is not valid: x\\npostern: all is well\\u{1b}[1A\n  Request id: req-1\n');
  });
});

test('a misuse ends with 2, a failure with 1', () => {
  expect(report(new Misuse('give a name'))).toMatchObject({ exitCode: 2, notes: 'postern: give a name\n' });
  expect(report(new Failure('no', ['because']))).toMatchObject({ exitCode: 1, notes: 'postern: no\n  because\n' });
});

describe('no answer', () => {
  const unreachable = (cause?: unknown) => new ApiUnreachable('The gateway at x does not answer.', { cause });

  test('is told with the reason that the system gives', () => {
    const refused = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });
    const { exitCode, notes } = report(unreachable(new TypeError('fetch failed', { cause: refused })));
    expect({ exitCode, notes }).toEqual({
      exitCode: 1,
      notes: 'postern: The gateway at x does not answer (ECONNREFUSED).\n',
    });
  });

  test.each([
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'NODE_EXTRA_CA_CERTS'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'NODE_EXTRA_CA_CERTS'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'POSTERN_ADMIN_URL'],
  ])('for %s is told with what helps', (code, remedy) => {
    expect(report(unreachable(Object.assign(new Error('tls'), { code }))).notes).toContain(remedy);
  });

  test('in time is told so', () => {
    expect(report(unreachable(Object.assign(new Error('x'), { name: 'TimeoutError' }))).notes).toContain(
      '(it takes too long)',
    );
  });

  test('of a gateway, but of something else, leads to the doctor', () => {
    expect(report(unreachable()).notes).toContain('postern doctor');
  });
});

test('a fault of our own is not swallowed', () => {
  expect(() => report(new TypeError('fault'))).toThrow('fault');
});
