import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { type Descriptor, describeCall } from './describe-call.ts';
import { bodyDigest, fingerprint } from './fingerprint.ts';

const DESCRIPTOR: Descriptor = {
  v: 1,
  kind: 'http',
  tenant: 'default',
  agent: 'coder',
  integration: 'github',
  template: null,
  action: 'issues.write',
  method: 'POST',
  url: 'https://api.github.com/repos/a/b/issues',
  headers: [['content-type', 'application/json']],
  body: 'sha-256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
  credential: 'github-token',
};

describe('fingerprint', () => {
  it('is the SHA-256 of the domain line and the RFC 8785 form, member by member', () => {
    const written =
      'postern/call/v1\n' +
      '{"action":"issues.write","agent":"coder",' +
      '"body":"sha-256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",' +
      '"credential":"github-token","headers":[["content-type","application/json"]],"integration":"github","kind":"http",' +
      '"method":"POST","template":null,"tenant":"default","url":"https://api.github.com/repos/a/b/issues","v":1}';
    expect(fingerprint(DESCRIPTOR)).toBe(createHash('sha256').update(written, 'utf8').digest('hex'));
    expect(fingerprint(DESCRIPTOR)).toBe('0f63682be4a0a683e1d6e3a7de8637db66bf8a5ee84e6f83be987b0a35cb2109');
  });

  it.each<[string, Partial<Descriptor>]>([
    ['kind', { kind: 'tool' }],
    ['tenant', { tenant: 'other' }],
    ['agent', { agent: 'other' }],
    ['integration', { integration: 'other' }],
    ['template', { template: 'github@1' }],
    ['action', { action: null }],
    ['method', { method: 'PUT' }],
    ['url', { url: 'https://api.github.com/repos/a/b/issues?x' }],
    ['headers', { headers: [] }],
    ['body', { body: null }],
    ['tool', { tool: { name: 'search' } }],
    ['credential', { credential: 'other' }],
    ['volatile', { volatile: ['x-nonce'] }],
  ])('changes with %s', (_, change) => {
    expect(fingerprint({ ...DESCRIPTOR, ...change })).not.toBe(fingerprint(DESCRIPTOR));
  });

  it('is the one that describeCall leads to, whatever the spelling of the call', () => {
    const call = describeCall(
      {
        tenant: 'default',
        agent: 'coder',
        action: { name: 'issues.write' },
        method: 'POST',
        url: 'HTTPS://API.github.com:443/repos/./%61/b/issues',
        headers: [
          ['User-Agent', 'sdk/1'],
          ['Content-Type', 'application/json'],
        ],
        body: new TextEncoder().encode('{}'),
      },
      { name: 'github', credential: 'github-token' },
    );
    expect(fingerprint(call)).toBe(fingerprint(DESCRIPTOR));
  });
});

describe('bodyDigest', () => {
  it('digests exactly the bytes of the view', () => {
    const bytes = new Uint8Array([0x61, 0x62, 0x63, 0x64]).subarray(0, 3);
    // FIPS 180-2 appendix B.1: "abc"
    expect(bodyDigest(bytes)).toBe('sha-256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    expect(bodyDigest(new Uint8Array(0))).toBe(
      'sha-256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    );
  });
});
