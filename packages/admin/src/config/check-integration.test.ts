import { type IntegrationInput, integrationSchema } from '@postern/schemas';
import { createCertificateAuthority } from '@postern/testing';
import { expect, test } from 'vitest';
import { fieldText } from '../validation/check-shape.ts';
import { checkIntegration } from './check-integration.ts';

async function check(members: Partial<IntegrationInput>) {
  return await checkIntegration(integrationSchema.parse({ name: 'a', baseUrl: 'https://a.example', ...members }));
}

async function faultsOf(members: Partial<IntegrationInput>): Promise<string[]> {
  const { issues } = await check(members);
  return issues.map(({ path, message }) => `${fieldText(path)}: ${message}`);
}

const BEARER = { type: 'bearer', secret: 's' } as const;

test.each([
  ['https://API.Example.com/', 'https://api.example.com'],
  ['https://a.example:443/v1/', 'https://a.example/v1'],
  ['https://a.example/v1/../v2', 'https://a.example/v2'],
  ['http://a.example:80', 'http://a.example'],
  ['https://bücher.example', 'https://xn--bcher-kva.example'],
])('the base URL %s is kept as %s', async (baseUrl, kept) => {
  const { integration, issues } = await check({ baseUrl });
  expect(issues).toEqual([]);
  expect(integration.baseUrl).toBe(kept);
  expect(integration.hosts).toEqual([new URL(kept).hostname]);
});

test.each([
  ['ftp://a.example'],
  ['a.example'],
  ['https://user:secret@a.example'],
  ['https://a.example?x=1'],
  ['https://a.example/#x'],
  ['https:///x'],
  ['https://a.example:0'],
  ['https://a b.example'],
])('the base URL %s is refused without repeating it', async (baseUrl) => {
  const [fault, ...more] = await faultsOf({ baseUrl });
  expect(fault).toMatch(/^baseUrl: must be an absolute URL such as /);
  expect(fault).not.toContain(baseUrl);
  expect(more).toEqual([]);
});

test.each<[string, string[], string | undefined]>([
  ['http://10.0.0.1', [], 'baseUrl: the address is private; network.unsafeAllowAddresses does not cover it'],
  ['http://10.0.0.1', ['10.0.0.0/8'], undefined],
  ['http://10.0.0.1', ['10.0.0.1'], undefined],
  ['http://10.0.0.1', ['10.0.0.2'], 'baseUrl: the address is private; network.unsafeAllowAddresses does not cover it'],
  ['https://127.0.0.1:8443', [], 'baseUrl: the address is loopback; network.unsafeAllowAddresses does not cover it'],
  ['https://2130706433', [], 'baseUrl: the address is loopback; network.unsafeAllowAddresses does not cover it'],
  ['https://[::1]', [], 'baseUrl: the address is loopback; network.unsafeAllowAddresses does not cover it'],
  ['https://[::1]', ['::1'], undefined],
  ['https://[::ffff:10.0.0.1]', [], 'baseUrl: the address is private; network.unsafeAllowAddresses does not cover it'],
  ['https://169.254.169.254', ['169.254.0.0/16'], 'baseUrl: a cloud metadata address is never allowed'],
  ['https://93.184.216.34', [], undefined],
  ['https://localhost', [], undefined],
  ['https://internal.example', [], undefined],
])('the base URL %s with unsafeAllowAddresses %j: %s', async (baseUrl, unsafeAllowAddresses, fault) => {
  expect(await faultsOf({ baseUrl, network: { unsafeAllowAddresses } })).toEqual(fault === undefined ? [] : [fault]);
});

test('other hosts that are addresses are judged too', async () => {
  expect(await faultsOf({ hosts: ['a.example', '192.168.0.1'] })).toEqual([
    'hosts[1]: the address is private; network.unsafeAllowAddresses does not cover it',
  ]);
});

test.each<[string, Partial<IntegrationInput>, string[]]>([
  ['https with a credential', { credential: BEARER }, []],
  ['http without a credential', { baseUrl: 'http://a.example' }, []],
  [
    'http with a credential',
    { baseUrl: 'http://a.example', credential: BEARER },
    ['baseUrl: must be https where there is a credential, unless network.unsafeAllowCleartextCredentials is true'],
  ],
  [
    'http with a credential and the exception',
    { baseUrl: 'http://a.example', credential: BEARER, network: { unsafeAllowCleartextCredentials: true } },
    [],
  ],
  [
    'https whose schemes let http in',
    { credential: BEARER, network: { schemes: ['https', 'http'] } },
    [
      'network.schemes: must be https where there is a credential, unless network.unsafeAllowCleartextCredentials is true',
    ],
  ],
  [
    'schemes without that of the base URL',
    { network: { schemes: ['http'] } },
    ["network.schemes: must contain the base URL's scheme https"],
  ],
  [
    'hosts without that of the base URL',
    { hosts: ['b.example'] },
    ["hosts: must contain the base URL's host a.example"],
  ],
  [
    'a network with bits after its length',
    { network: { unsafeAllowAddresses: ['10.0.0.1/8'] } },
    [
      'network.unsafeAllowAddresses[0]: "10.0.0.1/8" is not a CIDR: bits are set after its length; the block is 10.0.0.0/8',
    ],
  ],
  ['a certificate that is none', { tls: { ca: 'nonsense' } }, ['tls.ca: must be one or more certificates in PEM form']],
  [
    'a broken certificate',
    { tls: { ca: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' } },
    ['tls.ca: must be one or more certificates in PEM form'],
  ],
  [
    'a header pattern with a star inside',
    { headers: { request: { allow: ['x-*-y'] } } },
    ['headers.request.allow[0]: must be a header name, or the beginning of one followed by "*"'],
  ],
])('%s', async (_title, members, faults) => {
  expect(await faultsOf(members)).toEqual(faults);
});

test('a real certificate is taken', async () => {
  const authority = createCertificateAuthority();
  expect(await faultsOf({ tls: { ca: authority.cert } })).toEqual([]);
});

test('action patterns and names are those the policy compiler takes', async () => {
  const action = (name: string, path: string) => ({ name, methods: ['GET'], paths: [path] });
  const faults = await faultsOf({ actions: [action('a', '/x/{id}/**'), action('a', '/y'), action('b', '/x/a*b')] });
  expect(faults.map((fault) => fault.split(':', 1)[0])).toEqual(['actions[1].name', 'actions[2].paths[0]']);
});
