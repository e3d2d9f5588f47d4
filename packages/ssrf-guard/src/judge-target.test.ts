import { describe, expect, it } from 'vitest';
import { type JudgeOptions, judgeTarget } from './judge-target.ts';
import type { TargetInput } from './parse-target.ts';
import type { Resolve } from './resolve-name.ts';
import { DENY_REASONS, type DenyCode } from './verdict.ts';

/** A resolver that knows these answers and counts how often it is asked. */
function answering(answers: Record<string, readonly string[]>): Resolve & { asked: string[] } {
  const asked: string[] = [];
  const resolve = async (name: string) => {
    asked.push(name);
    const addresses = answers[name];
    if (addresses === undefined) throw new Error('no such name');
    return { addresses };
  };
  return Object.assign(resolve, { asked });
}

const GLOBAL = answering({ 'api.example.com': ['93.184.215.14', '2606:2800:21f::1'] });

async function codeOf(target: TargetInput, options: JudgeOptions = {}): Promise<DenyCode | 'allow'> {
  const verdict = await judgeTarget(target, { resolve: GLOBAL, ...options });
  return verdict.verdict === 'deny' ? verdict.code : 'allow';
}

describe('judgeTarget', () => {
  it.each<[string, TargetInput]>([
    ['text', 'https://api.example.com/v1?a=b'],
    ['text in other spelling', 'HTTPS://API.example.com:0443'],
    ['a URL', new URL('https://api.example.com/')],
    ['an object with a URL', { url: 'https://api.example.com' }],
    ['an object with a URL object', { url: new URL('https://api.example.com') }],
    ['parts', { scheme: 'https', host: 'api.example.com', port: 443 }],
    ['parts without a port', { scheme: 'https', host: 'api.example.com' }],
  ])('takes %s and answers with the first address', async (_, target) => {
    expect(await judgeTarget(target, { resolve: GLOBAL })).toEqual({
      verdict: 'allow',
      scheme: 'https',
      host: 'api.example.com',
      port: 443,
      address: '93.184.215.14',
      class: 'global',
    });
  });

  it('judges addresses without asking a resolver', async () => {
    const resolve = answering({});
    expect(await judgeTarget('http://[2606:2800:21f::1]:8080/', { resolve })).toEqual({
      verdict: 'allow',
      scheme: 'http',
      host: '2606:2800:21f::1',
      port: 8080,
      address: '2606:2800:21f::1',
      class: 'global',
    });
    expect(await judgeTarget('http://[::ffff:8.8.8.8]/', { resolve })).toMatchObject({
      verdict: 'allow',
      address: '8.8.8.8',
    });
    expect(resolve.asked).toEqual([]);
  });

  it.each([
    '//api.example.com',
    'api.example.com',
    'https:api.example.com',
    'https:/api.example.com',
    'https:\\\\api.example.com',
    'https://api.example.com\\@evil.example/',
    'https://api.exa\tmple.com',
    ' https://api.example.com',
    'https://api.example.com/a b',
    'javascript:alert(1)',
    '',
  ])('refuses %j as no well-formed URL', async (url) => {
    expect(await codeOf(url)).toBe('target_invalid');
  });

  it('refuses what is no target at all', async () => {
    for (const target of [undefined, null, 5, {}, { url: 5 }, { url: { url: 'https://api.example.com' } }]) {
      expect(await codeOf(target as unknown as string)).not.toBe('allow');
    }
  });

  it.each(['ftp://api.example.com', 'file:///etc/passwd', 'gopher://api.example.com:70', 'ws://api.example.com'])(
    'refuses the scheme of %s',
    async (url) => {
      expect(await codeOf(url)).toBe('scheme_not_allowed');
    },
  );

  it.each([
    'https://user@api.example.com/',
    'https://user:pass@api.example.com/',
    'https://@api.example.com/',
    'https://api.example.com@127.0.0.1/',
  ])('refuses the user name in %s', async (url) => {
    expect(await codeOf(url)).toBe('userinfo_not_allowed');
  });

  it.each([
    'https:///api.example.com',
    'https://api.example.com./',
    'https://127.0.0.1./',
    'https://api。example。com/',
    'https://%61pi.example.com/',
    'https://%31%32%37.0.0.1/',
    'https://api.example.com:/',
    'https://api.example.com:443:443/',
    'https://api.example.com:+443/',
    'https://api.example.com:123456/',
    'https://[::1%25lo]/',
    'https://::1/',
    'https://[::1]evil.example/',
    'https://256.0.0.1/',
  ])('refuses the host of %s', async (url) => {
    expect(await codeOf(url)).toBe('host_invalid');
  });

  it.each([
    'http://2130706433/',
    'http://0x7f000001/',
    'http://0x7f.1/',
    'http://0177.0.0.1/',
    'http://127.1/',
    'http://0/',
    'http://１２７.0.0.1/',
    'http://[::ffff:127.0.0.1]/',
    'http://[0:0:0:0:0:ffff:7f00:1]/',
    'http://[64:ff9b::127.0.0.1]/',
    'http://[2002:7f00:1::]/',
    'http://[::127.0.0.1]/',
    'http://localhost/',
    'http://LOCALHOST:8080/',
    'http://anything.localhost/',
  ])('sees the forbidden address behind %s', async (url) => {
    expect(await codeOf(url)).toBe('address_forbidden');
  });

  it('never asks a resolver for localhost', async () => {
    const resolve = answering({ localhost: ['8.8.8.8'], 'a.localhost': ['8.8.8.8'] });
    expect(await judgeTarget('http://a.localhost', { resolve })).toMatchObject({
      address: '127.0.0.1',
      class: 'loopback',
    });
    expect(await codeOf('http://localhost', { resolve })).toBe('address_forbidden');
    expect(resolve.asked).toEqual([]);
  });

  it('holds schemes, hosts and ports to their lists', async () => {
    const rules = { schemes: ['https'], hosts: ['API.example.com'], ports: [443, 8443] };
    expect(await codeOf('https://api.example.com', rules)).toBe('allow');
    expect(await codeOf('https://api.example.com:8443', rules)).toBe('allow');
    expect(await codeOf('http://api.example.com:443', rules)).toBe('scheme_not_allowed');
    expect(await codeOf('https://api.example.com:8444', rules)).toBe('port_not_allowed');
    expect(await codeOf('https://api.example.com:0')).toBe('port_not_allowed');
    expect(await codeOf('https://api.example.com:65535')).toBe('allow');
    expect(await codeOf('https://api.example.com:65536')).toBe('port_not_allowed');
    for (const host of [
      'example.com',
      'xapi.example.com',
      'x.api.example.com',
      'api.example.com.evil.example',
      '8.8.8.8',
    ]) {
      expect(await codeOf(`https://${host}`, rules)).toBe('host_not_allowed');
    }
    expect(await codeOf('https://api.example.com', { hosts: [] })).toBe('host_not_allowed');
    expect(await codeOf('https://api.example.com', { ports: [] })).toBe('port_not_allowed');
    expect(await codeOf('https://[2606:2800:21f:0::1]', { hosts: ['[2606:2800:21F::1]'] })).toBe('allow');
  });

  it('refuses a name when one of its addresses is forbidden, wherever it stands', async () => {
    const resolve = answering({
      first: ['10.0.0.1', '8.8.8.8'],
      last: ['8.8.8.8', '2606:2800:21f::1', 'fd00::1'],
      mapped: ['8.8.8.8', '::ffff:10.0.0.1'],
      nonsense: ['8.8.8.8', 'localhost'],
      empty: [],
    });
    expect(await judgeTarget('https://first', { resolve })).toEqual({
      verdict: 'deny',
      code: 'address_forbidden',
      host: 'first',
      address: '10.0.0.1',
      class: 'private',
    });
    expect(await judgeTarget('https://last', { resolve })).toMatchObject({ address: 'fd00::1', class: 'unique_local' });
    expect(await judgeTarget('https://mapped', { resolve })).toMatchObject({ address: '10.0.0.1', class: 'private' });
    expect(await judgeTarget('https://nonsense', { resolve })).toMatchObject({
      code: 'address_forbidden',
      class: 'invalid',
    });
    expect(await judgeTarget('https://empty', { resolve })).toEqual({
      verdict: 'deny',
      code: 'resolve_failed',
      host: 'empty',
    });
    expect(await codeOf('https://unknown', { resolve })).toBe('resolve_failed');
  });

  it('opens what unsafeAllowAddresses covers and nothing beside it', async () => {
    const resolve = answering({
      inside: ['10.1.0.1'],
      both: ['10.1.0.1', '10.2.0.1'],
      mixed: ['8.8.8.8', '10.1.255.255'],
    });
    const options = { resolve, unsafeAllowAddresses: ['10.1.0.0/16', 'fd00:1::/32'] };
    expect(await judgeTarget('https://inside', options)).toMatchObject({
      verdict: 'allow',
      address: '10.1.0.1',
      class: 'private',
    });
    expect(await codeOf('https://mixed', options)).toBe('allow');
    expect(await codeOf('https://both', options)).toBe('address_forbidden');
    expect(await codeOf('http://10.0.255.255', options)).toBe('address_forbidden');
    expect(await codeOf('http://10.2.0.0', options)).toBe('address_forbidden');
    expect(await codeOf('http://[::ffff:10.1.0.1]', options)).toBe('allow');
    expect(await codeOf('http://[64:ff9b::10.1.0.1]', options)).toBe('address_forbidden');
    expect(await codeOf('http://[fd00:1:ffff::1]', options)).toBe('allow');
    expect(await codeOf('http://[fd00:2::1]', options)).toBe('address_forbidden');
  });

  it('opens no metadata service, whatever is allowed', async () => {
    const everything = ['0.0.0.0/0', '::/0'];
    const resolve = answering({
      'rebound.example': ['8.8.8.8', '169.254.169.254'],
      'metadata.google.internal': ['8.8.8.8'],
    });
    for (const host of [
      'metadata.google.internal',
      'METADATA.google.internal',
      'x.metadata.google.internal',
      'meta\u00addata.google.internal',
      'metadata',
      'instance-data',
      'rebound.example',
      '169.254.169.254',
      '2852039166',
      '0xa9fea9fe',
      '169.254.43518',
      '169.254.170.2',
      '100.100.100.200',
      '168.63.129.16',
      '192.0.0.192',
      '[fd00:ec2::254]',
      '[::ffff:169.254.169.254]',
      '[64:ff9b::169.254.169.254]',
      '[2002:a9fe:a9fe::]',
      '[fe80::5efe:169.254.169.254]',
    ]) {
      expect(await codeOf(`http://${host}/`, { resolve, unsafeAllowAddresses: everything }), host).toBe(
        'metadata_forbidden',
      );
    }
    expect(resolve.asked).toEqual(['rebound.example']);
    expect(await codeOf('http://169.254.169.253/', { unsafeAllowAddresses: everything })).toBe('allow');
    expect(await codeOf('http://api.example.com', { hosts: ['api.example.com', 'metadata'] })).toBe('allow');
  });

  it.each([
    'http://[2002:808:808::1]',
    'http://[2001:0:4136:e378:8000:63bf:f7f7:f7f7]',
    'http://[64:ff9b:1::808:808]',
    'http://[::8.8.8.8]',
    'http://0.0.0.0',
    'http://[::]',
    'http://224.0.0.1',
    'http://[ff02::1]',
    'http://255.255.255.255',
  ])('opens %s to nobody', async (url) => {
    expect(await codeOf(url, { unsafeAllowAddresses: ['0.0.0.0/0', '::/0'] })).toBe('address_forbidden');
  });

  it('rejects options that are at fault and names the fault', async () => {
    await expect(judgeTarget('https://8.8.8.8', { unsafeAllowAddresses: ['10.0.0.0/99'] })).rejects.toThrow(
      '"10.0.0.0/99"',
    );
    await expect(judgeTarget('https://8.8.8.8', { hosts: ['*.example.com'] })).rejects.toThrow(
      '"*.example.com" is not a host',
    );
    await expect(judgeTarget('https://8.8.8.8', { ports: [0] })).rejects.toThrow('0 is not a port');
    await expect(judgeTarget('https://8.8.8.8', { ports: [65_536] })).rejects.toThrow('65536 is not a port');
    await expect(judgeTarget('https://8.8.8.8', { schemes: ['ftp'] })).rejects.toThrow('"ftp" is not a scheme');
  });

  it('gives up on a resolver that does not answer in time', async () => {
    const silent = () => new Promise<never>(() => {});
    expect(await codeOf('https://api.example.com', { resolve: silent, resolveTimeoutMs: 20 })).toBe('resolve_failed');
  });

  it('has a sentence for every code', () => {
    for (const reason of Object.values(DENY_REASONS)) expect(reason).toMatch(/^[A-Z][^.]+$/);
  });
});
