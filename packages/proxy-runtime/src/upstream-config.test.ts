import { describe, expect, test } from 'vitest';
import { createUpstreamClient } from './upstream-client.ts';
import { readUpstreamConfig, type UpstreamConfig } from './upstream-config.ts';

const baseUrl = 'https://api.test/v1';

test('what is left out has its default', () => {
  expect(readUpstreamConfig({ baseUrl })).toEqual({
    name: 'api.test',
    tenant: 'default',
    base: new URL(baseUrl),
    hosts: ['api.test'],
    timeouts: { connectMs: 5000, firstByteMs: 30000, totalMs: 30000, idleMs: 60000, streamMs: 3600000 },
    limits: { requestBytes: 10485760, responseBytes: 10485760, streamBytes: 104857600, concurrency: 64 },
    retry: { attempts: 3, baseMs: 200, maxMs: 5000 },
    breaker: { failures: 5, windowMs: 10000, openMs: 30000 },
    ports: [443],
    schemes: ['https'],
    unsafeAllowAddresses: [],
    ca: undefined,
    requestAllow: undefined,
    responseAllow: undefined,
  });
});

test('what is given counts', () => {
  const settings = readUpstreamConfig({
    baseUrl: 'http://[::1]:8080',
    timeouts: { connectMs: 1 },
    limits: { requestBytes: 0, concurrency: 1 },
    retry: { attempts: 1, baseMs: 0 },
    breaker: { failures: 1, openMs: 1 },
    hosts: ['::1', 'other.test'],
    headers: { request: { allow: ['accept'] }, response: {} },
    tls: { ca: null },
  });
  expect(settings.timeouts).toMatchObject({ connectMs: 1, totalMs: 30000 });
  expect(settings.limits).toMatchObject({ requestBytes: 0, responseBytes: 10485760, concurrency: 1 });
  expect(settings.retry).toEqual({ attempts: 1, baseMs: 0, maxMs: 5000 });
  expect(settings.breaker).toEqual({ failures: 1, windowMs: 10000, openMs: 1 });
  expect(settings.ports).toEqual([8080]);
  expect(settings.requestAllow).toEqual(['accept']);
});

describe('a bad value is refused with its field', () => {
  test.each<[string, object]>([
    ['retry.attempts', { retry: { attempts: 0 } }],
    ['retry.attempts', { retry: { attempts: 11 } }],
    ['retry.baseMs', { retry: { baseMs: -1 } }],
    ['retry.maxMs', { retry: { maxMs: '1' } }],
    ['retry.honoursKeys', { retry: { honoursKeys: true } }],
    ['retry', { retry: null }],
    ['breaker.failures', { breaker: { failures: 0 } }],
    ['breaker.failures', { breaker: { failures: 1_001 } }],
    ['breaker.windowMs', { breaker: { windowMs: 0 } }],
    ['breaker.openMs', { breaker: { openMs: 0 } }],
    ['breaker.ratio', { breaker: { ratio: 0.5 } }],
    ['limitSignals', { limitSignals: {} }],
    ['limitSignals[0]', { limitSignals: [null] }],
    ['limitSignals[0].status', { limitSignals: [{ statuses: [403], status: 403 }] }],
    ['limitSignals[0].statuses', { limitSignals: [{ statuses: [] }] }],
    ['limitSignals[0].statuses', { limitSignals: [{ statuses: [399] }] }],
    ['limitSignals[0].statuses', { limitSignals: [{ statuses: [600] }] }],
    ['limitSignals[0].statuses', { limitSignals: [{ statuses: ['403'] }] }],
    ['limitSignals[0].when.value', { limitSignals: [{ statuses: [403], when: { header: 'a', value: '' } }] }],
    ['limitSignals[0].when.header', { limitSignals: [{ statuses: [403], when: { header: 'a b' } }] }],
    ['limitSignals[0].when.equals', { limitSignals: [{ statuses: [403], when: { header: 'a', equals: 0 } }] }],
    ['limitSignals[0].wait.header', { limitSignals: [{ statuses: [403], wait: { as: 'seconds' } }] }],
    ['limitSignals[0].wait.as', { limitSignals: [{ statuses: [403], wait: { header: 'a', as: 'minutes' } }] }],
    ['limitSignals[1].statuses', { limitSignals: [{ statuses: [400, 599] }, {}] }],
    ['timeouts.totalSeconds', { timeouts: { totalSeconds: 1 } }],
    ['limits.bytes', { limits: { bytes: 1 } }],
    ['network.unsafeAllowCleartextCredentials', { network: { unsafeAllowCleartextCredentials: true } }],
    ['tls.cert', { tls: { cert: '' } }],
    ['headers.both', { headers: { both: {} } }],
    ['headers.request.deny', { headers: { request: { deny: [] } } }],
    ['timeouts.connectMs', { timeouts: { connectMs: 0 } }],
    ['timeouts.totalMs', { timeouts: { totalMs: 1.5 } }],
    ['timeouts.idleMs', { timeouts: { idleMs: 2 ** 31 } }],
    ['timeouts.streamMs', { timeouts: { streamMs: '5' } }],
    ['limits.responseBytes', { limits: { responseBytes: -1 } }],
    ['limits.concurrency', { limits: { concurrency: 0 } }],
    ['timeouts', { timeouts: null }],
    ['hosts', { hosts: ['other.test'] }],
    ['baseUrl', { baseUrl: '/v1' }],
    ['baseUrl', { baseUrl: 'ftp://api.test' }],
    ['baseUrl', { baseUrl: 'https://user@api.test' }],
    ['baseUrl', { baseUrl: 'https://api.test/?a=1' }],
  ])('%s', (field, over) => {
    const config = { baseUrl, ...over } as UpstreamConfig;
    expect(() => readUpstreamConfig(config)).toThrow(TypeError);
    expect(() => readUpstreamConfig(config)).toThrow(new RegExp(`^${RegExp.escape(field)}:`));
  });

  test.each<[string, object]>([
    ['a CIDR', { network: { unsafeAllowAddresses: ['10.0.0.0/33'] } }],
    ['a port', { network: { ports: [0] } }],
    ['a header pattern', { headers: { request: { allow: ['a b'] } } }],
  ])('when the client is made: %s', (_name, over) => {
    expect(() => createUpstreamClient({ baseUrl, ...over } as UpstreamConfig)).toThrow(TypeError);
  });
});
