import { describe, expect, test } from 'vitest';
import { mapUpstreamError } from './map-upstream-error.ts';
import { ProxyRefusal } from './proxy-refusal.ts';
import { UPSTREAM_ERRORS, type UpstreamErrorCode, UpstreamFailure } from './upstream-failure.ts';

test.each([
  ['upstream_unavailable', 502, true],
  ['upstream_reset', 502, false],
  ['response_too_large', 502, false],
  ['redirect_refused', 502, false],
  ['circuit_open', 503, true],
  ['upstream_saturated', 503, true],
  ['upstream_timeout', 504, false],
] as const)('a failure %s has status %i and retryable %s', (code, status, retryable) => {
  const failure = new UpstreamFailure({ code, detail: 'x', sentBytes: 'none', headPassed: false });
  expect(mapUpstreamError(failure)).toEqual({ code, status, retryable });
  expect(failure).toMatchObject({ status, retryable });
});

test.each([
  ['target_invalid', 400, false],
  ['address_forbidden', 403, false],
  ['request_too_large', 413, false],
  ['resolve_failed', 502, true],
] as const)('a refusal %s has status %i and retryable %s', (code, status, retryable) => {
  const refusal = new ProxyRefusal(code, 'x');
  expect(mapUpstreamError(refusal)).toEqual({ code, status, retryable });
  expect(refusal).toMatchObject({ status, retryable });
});

test('there are no further codes', () => {
  expect(Object.keys(UPSTREAM_ERRORS)).toHaveLength(7);
});

describe('a raw error', () => {
  test.each<[string, UpstreamErrorCode]>([
    ['ECONNREFUSED', 'upstream_unavailable'],
    ['ENOTFOUND', 'upstream_unavailable'],
    ['EHOSTUNREACH', 'upstream_unavailable'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'upstream_unavailable'],
    ['ERR_PINNED_ADDRESS_MISMATCH', 'upstream_unavailable'],
    ['SOMETHING_NEW', 'upstream_unavailable'],
    ['ECONNRESET', 'upstream_reset'],
    ['EPIPE', 'upstream_reset'],
    ['UND_ERR_SOCKET', 'upstream_reset'],
    ['HPE_INVALID_CHUNK_SIZE', 'upstream_reset'],
    ['ETIMEDOUT', 'upstream_timeout'],
    ['UND_ERR_CONNECT_TIMEOUT', 'upstream_timeout'],
    ['UND_ERR_HEADERS_OVERFLOW', 'response_too_large'],
  ])('%s is %s, also as a cause', (code, expected) => {
    const error = Object.assign(new Error('10.1.2.3 said no'), { code });
    expect(mapUpstreamError(error).code).toBe(expected);
    expect(mapUpstreamError(new Error('outer', { cause: error })).code).toBe(expected);
  });

  test('of a time-out signal is a time-out', () => {
    expect(mapUpstreamError(new DOMException('x', 'TimeoutError')).code).toBe('upstream_timeout');
  });

  test.each([undefined, null, 'ECONNRESET', {}, 7])('that is no error counts as unavailable: %j', (value) => {
    expect(mapUpstreamError(value)).toEqual({ code: 'upstream_unavailable', status: 502, retryable: true });
  });

  test('leaves nothing of its text in the answer', () => {
    expect(JSON.stringify(mapUpstreamError(new Error('secret')))).not.toContain('secret');
  });

  test('whose causes form a ring still has an answer', () => {
    const error = new Error('ring');
    error.cause = error;
    expect(mapUpstreamError(error).code).toBe('upstream_unavailable');
  });
});
