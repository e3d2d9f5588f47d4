import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from 'vitest';
import { createTrustedProxies } from './trusted-proxies.ts';

/** What is read of a request: its socket's address and one field. */
function request(remoteAddress: string | undefined, forwarded?: string): IncomingMessage {
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
  return { socket: { remoteAddress }, headers } as unknown as IncomingMessage;
}

describe("the client's address", () => {
  const addressOf = createTrustedProxies(['10.0.0.0/8', 'fd00::/8', '192.0.2.1']);

  test.each<[string, string | undefined, string | undefined, string]>([
    ['is the socket’s without a field', '203.0.113.9', undefined, '203.0.113.9'],
    ['is the socket’s when that is no trusted proxy', '203.0.113.9', '1.1.1.1', '203.0.113.9'],
    ['is the field’s behind a trusted proxy', '10.1.2.3', '1.1.1.1', '1.1.1.1'],
    ['is the rightmost that is not trusted', '10.1.2.3', '6.6.6.6, 1.1.1.1, 10.9.9.9', '1.1.1.1'],
    ['is found through several fields', '10.1.2.3', '6.6.6.6,1.1.1.1,192.0.2.1', '1.1.1.1'],
    ['is the leftmost when all are trusted', '10.1.2.3', '10.0.0.1, 10.0.0.2', '10.0.0.1'],
    ['ends at what is no address', '10.1.2.3', '1.1.1.1, unknown', '10.1.2.3'],
    ['is taken without its port', '10.1.2.3', '1.1.1.1, 2.2.2.2:80', '2.2.2.2'],
    ['is found behind trusted ones with ports', '10.1.2.3', '1.1.1.1:5, 10.9.9.9:65535', '1.1.1.1'],
    ['is IPv6 in brackets', '10.1.2.3', '[2001:db8::7]', '2001:db8::7'],
    ['is IPv6 in brackets with a port', '10.1.2.3', '[2001:db8::7]:443', '2001:db8::7'],
    ['is found behind a trusted one in brackets', 'fd00::1', '2001:db8::7, [fd00::2]:80', '2001:db8::7'],
    ['is IPv6 whose last group looks like a port', '10.1.2.3', '2001:db8::7:80', '2001:db8::7:80'],
    ['ends at a port that is none', '10.1.2.3', '1.1.1.1, 2.2.2.2:http', '10.1.2.3'],
    ['ends at an open bracket', '10.1.2.3', '1.1.1.1, [2001:db8::7', '10.1.2.3'],
    ['ends at IPv4 in octal', '10.1.2.3', '1.1.1.1, 010.0.0.1', '10.1.2.3'],
    ['ends at an obfuscated name', '10.1.2.3', '1.1.1.1, _hidden', '10.1.2.3'],
    ['ends at an empty item', '10.1.2.3', '1.1.1.1,', '10.1.2.3'],
    ['takes a mapped address in hexadecimal for what it holds', '10.1.2.3', '1.1.1.1, ::ffff:a09:909', '1.1.1.1'],
    ['is taken without its zone', 'fe80::1%eth0', undefined, 'fe80::1'],
    ['ends behind the last trusted hop before what is no address', '10.1.2.3', 'x, 10.0.0.9', '10.0.0.9'],
    ['is the proxy’s when the field is empty', '10.1.2.3', '', '10.1.2.3'],
    ['takes IPv6', 'fd00::1', '2001:db8::7', '2001:db8::7'],
    ['takes a proxy in mapped form', '::ffff:10.1.2.3', '1.1.1.1', '1.1.1.1'],
    ['is nothing when the socket is gone', undefined, '1.1.1.1', ''],
  ])('%s', (_what, remote, forwarded, expected) => {
    expect(addressOf(request(remote, forwarded))).toBe(expected);
  });

  test('is always the socket’s when no proxy is trusted', () => {
    const without = createTrustedProxies([]);
    expect(without(request('10.1.2.3', '1.1.1.1'))).toBe('10.1.2.3');
    expect(without(request(undefined, '1.1.1.1'))).toBe('');
  });
});
