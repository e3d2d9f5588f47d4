import { describe, expect, it } from 'vitest';
import { type CallDescription, type Descriptor, describeCall } from './describe-call.ts';
import { DescriptorError, type DescriptorErrorCode } from './descriptor-error.ts';
import { bodyDigest } from './fingerprint.ts';
import { VOLATILE_HEADERS } from './volatile-headers.ts';

const CALL: CallDescription = {
  tenant: 'default',
  agent: 'coder',
  action: null,
  method: 'GET',
  url: 'https://api.example.com/v1/x',
  headers: [],
  body: null,
};

function described(change: Partial<CallDescription>): Descriptor {
  return describeCall({ ...CALL, ...change }, { name: 'example' });
}

function codeOf(change: Partial<CallDescription>): DescriptorErrorCode | undefined {
  try {
    described(change);
  } catch (error) {
    if (error instanceof DescriptorError) return error.code;
    throw error;
  }
  return undefined;
}

describe('describeCall', () => {
  it('has every member of the specification and no other when nothing is given beyond them', () => {
    expect(described({})).toEqual({
      v: 1,
      kind: 'http',
      tenant: 'default',
      agent: 'coder',
      integration: 'example',
      template: null,
      action: null,
      method: 'GET',
      url: 'https://api.example.com/v1/x',
      headers: [],
      body: null,
      credential: null,
    });
    expect(Object.keys(described({}))).not.toContain('tool');
    expect(Object.keys(described({ action: { name: 'a', volatile: [] } }))).not.toContain('volatile');
  });

  it('names template, credential, action, kind and tool', () => {
    const tool = { server: 'search', name: 'find' };
    const descriptor = describeCall(
      { ...CALL, kind: 'tool', tool, action: { name: 'find' } },
      { name: 'example', template: 'example@3', credential: 'example-token' },
    );
    expect(descriptor).toMatchObject({
      kind: 'tool',
      tool,
      action: 'find',
      template: 'example@3',
      credential: 'example-token',
    });
  });

  it('writes header names in lower case, sorts them and keeps repeated ones in the order received', () => {
    const headers = [
      ['X-B', '2'],
      ['x-a', 'second word'],
      ['Accept', '*/*'],
      ['X-b', '1'],
      ['x-B', '2'],
    ] as const;
    expect(described({ headers }).headers).toEqual([
      ['accept', '*/*'],
      ['x-a', 'second word'],
      ['x-b', '2'],
      ['x-b', '1'],
      ['x-b', '2'],
    ]);
  });

  it('leaves out host and the volatile headers in any case, and nothing that only resembles them', () => {
    const volatile = [...VOLATILE_HEADERS, 'host', 'x-stainless-lang', 'X-Stainless-Retry-Count'];
    const kept = ['accept', 'content-type', 'x-request-id-2', 'x-stainless', 'x-date', 'user-agent-x'];
    const headers = [...volatile, ...volatile.map((name) => name.toUpperCase()), ...kept].map(
      (name) => [name, 'v'] as const,
    );
    expect(described({ headers }).headers.map(([name]) => name)).toEqual([...kept].sort());
  });

  it('knows exactly the volatile list of the specification', () => {
    expect([...VOLATILE_HEADERS]).toEqual(
      'accept-encoding accept-language content-length date priority traceparent tracestate user-agent x-request-id'.split(
        ' ',
      ),
    );
  });

  it("leaves out an action's own volatile headers and carries their list, lower-case and sorted", () => {
    const headers = [
      ['x-nonce', '1'],
      ['x-sent-at', '2'],
      ['x-sent', '3'],
      ['x-other', '4'],
    ] as const;
    const descriptor = described({ headers, action: { name: 'a', volatile: ['X-Sent-*', 'x-Nonce', 'x-nonce'] } });
    expect(descriptor.headers).toEqual([
      ['x-other', '4'],
      ['x-sent', '3'],
    ]);
    expect(descriptor.volatile).toEqual(['x-nonce', 'x-sent-*']);
  });

  it('digests the body, tells an empty one from none and takes a digest made elsewhere', () => {
    const bytes = new Uint8Array([1, 2, 3]);
    expect(described({ body: bytes }).body).toBe(bodyDigest(bytes));
    expect(described({ body: new Uint8Array(0) }).body).toBe(bodyDigest(new Uint8Array(0)));
    expect(described({ body: null }).body).toBeNull();
    expect(described({ bodyDigest: bodyDigest(bytes) }).body).toBe(bodyDigest(bytes));
    expect(described({ bodyDigest: null, body: bytes }).body).toBe(bodyDigest(bytes));
  });

  it.each<[string, Partial<CallDescription>, DescriptorErrorCode | undefined]>([
    ['an upper-case method', { method: 'M-SEARCH' }, undefined],
    ['a method in lower case', { method: 'delete' }, 'bad_method'],
    ['a method with a space', { method: 'GET X' }, 'bad_method'],
    ['an empty method', { method: '' }, 'bad_method'],
    ['a header name with a space', { headers: [['x a', '']] }, 'bad_header_name'],
    ['an empty header name', { headers: [['', '']] }, 'bad_header_name'],
    ['a header value with a line break', { headers: [['x-a', 'b\r\nc: d']] }, 'bad_header_value'],
    ['a header value with NUL', { headers: [['x-a', 'b\0']] }, 'bad_header_value'],
    ['a header value with a tab', { headers: [['x-a', 'b\tc']] }, undefined],
    ['a header value with the last byte', { headers: [['x-a', '\xff']] }, undefined],
    ['a header value beyond a byte', { headers: [['x-a', '\u0100']] }, 'bad_header_value'],
    ['a volatile prefix', { action: { name: 'a', volatile: ['x-*'] } }, undefined],
    ['all headers volatile', { action: { name: 'a', volatile: ['*'] } }, 'bad_volatile'],
    ['an empty volatile name', { action: { name: 'a', volatile: [''] } }, 'bad_volatile'],
    ['a volatile body member', { action: { name: 'a', volatile: ['/body/at'] } }, 'bad_volatile'],
    ['a digest in upper case', { bodyDigest: `sha-256:${'A'.repeat(64)}` }, 'bad_body_digest'],
    ['a digest that is too short', { bodyDigest: `sha-256:${'a'.repeat(63)}` }, 'bad_body_digest'],
    ['a digest of the right form', { bodyDigest: `sha-256:${'a'.repeat(64)}` }, undefined],
  ])('treats %s rightly', (_, change, code) => {
    expect(codeOf(change)).toBe(code);
  });

  it('makes the URL canonical and refuses one that has no canonical form', () => {
    expect(described({ url: 'https://API.example.com:443/v1/a/../x' }).url).toBe(CALL.url);
    expect(() => described({ url: 'https://me@api.example.com/' })).toThrow(
      expect.objectContaining({ code: 'userinfo' }),
    );
  });
});
