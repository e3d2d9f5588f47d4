import { readFileSync } from 'node:fs';
import path from 'node:path';
import { generateAgentKey } from '@postern/auth';
import { MISTAKES } from '@postern/cli';
import { createCertificateAuthority, startUpstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { auditEvents, control } from './support/audit-log.ts';
import { type Clinic, startClinic } from './support/clinic.ts';
import { doctor } from './support/doctor.ts';
import { LOOPBACK } from './support/scenario.ts';

let clinic: Clinic;
beforeAll(async () => {
  clinic = await startClinic();
});
afterAll(async () => {
  await clinic?.[Symbol.asyncDispose]();
});

test('a sound gateway has nothing broken, and no warning', async () => {
  const tenant = await clinic.newTenant(clinic.soundDocument());
  const { findings, exitCode } = await clinic.ask(tenant);
  expect(findings.filter(({ status }) => status !== 'ok')).toEqual([]);
  expect(exitCode).toBe(0);
  expect(findings.map(({ about }) => about)).toEqual(
    expect.arrayContaining(['node', 'clock', 'configuration', 'upstream 127.0.0.1 of integration api']),
  );
});

describe('the configuration', () => {
  const agent = (change: object) => [{ name: 'coder', owner: 'alice', key: generateAgentKey().key, ...change }];
  const rule = (change: object) => ({ id: 'more', effect: 'allow', integrations: ['api'], ...change });

  test.each<[string, () => object, string, 'warning' | 'broken', RegExp]>([
    [
      'an agent without owner',
      () => ({ agents: agent({ owner: undefined }) }),
      'agent-without-owner',
      'warning',
      /agents update coder --owner/,
    ],
    [
      'an agent without key',
      () => ({ agents: [{ name: 'coder', owner: 'alice' }] }),
      'agent-without-key',
      'warning',
      /keys issue coder/,
    ],
    [
      'an integration for another environment',
      () => ({ integrations: [clinic.soundIntegration({ environments: ['prod'], credential: { type: 'none' } })] }),
      'environment-mismatch',
      'broken',
      /--environment/,
    ],
    [
      'a secret for another environment',
      () => ({ secrets: { token: { value: 'sealed-0123456789', environments: ['prod'] } } }),
      'environment-mismatch',
      'broken',
      /secrets set token --environment/,
    ],
    ['a secret that does not exist', () => ({ secrets: {} }), 'secret-missing', 'broken', /secrets set token/],
    ['an integration that no rule allows', () => ({ rules: [] }), 'no-allow-rule', 'warning', /rules create/],
    [
      'a rule for a role that nobody has',
      () => ({ rules: [rule({ agents: ['role:developer'] })] }),
      'rule-without-agents',
      'warning',
      /rules disable more/,
    ],
    [
      'a rule that a hard deny covers',
      () => ({ rules: [rule({}), { id: 'never', effect: 'deny', hard: true, integrations: ['api'] }] }),
      'rule-shadowed',
      'warning',
      /rules disable more/,
    ],
    [
      'a rule for paths outside the base path',
      () => ({
        integrations: [clinic.soundIntegration({ baseUrl: `${clinic.upstream.url}/v1` })],
        rules: [rule({ paths: ['/items/**'] })],
      }),
      'rule-outside-base',
      'warning',
      /rules disable more/,
    ],
    [
      'an action for paths outside the base path',
      () => ({
        integrations: [
          clinic.soundIntegration({
            baseUrl: `${clinic.upstream.url}/v1`,
            actions: [{ name: 'a', methods: ['GET'], paths: ['/items'] }],
          }),
        ],
        rules: [rule({})],
      }),
      'rule-outside-base',
      'warning',
      /\/v1\/items/,
    ],
    [
      'a credential in clear over a network',
      () => ({
        integrations: [
          clinic.soundIntegration({
            baseUrl: 'http://api.example.com',
            network: { unsafeAllowCleartextCredentials: true },
          }),
        ],
      }),
      'cleartext-credential',
      'warning',
      /https/,
    ],
    [
      'a host that has no address',
      () => ({ integrations: [clinic.soundIntegration({ baseUrl: 'https://nowhere.test' })] }),
      'host-unresolved',
      'broken',
      /POSTERN_DNS_SERVERS/,
    ],
    [
      'a host at a private address',
      () => ({ integrations: [clinic.soundIntegration({ baseUrl: 'https://private.test', network: {} })] }),
      'host-private',
      'broken',
      /10\.1\.2\.3\/32/,
    ],
    [
      'an upstream that is not there',
      () => ({ integrations: [clinic.soundIntegration({ baseUrl: 'http://127.0.0.1:9' })] }),
      'upstream-unreachable',
      'warning',
      /Is it up/,
    ],
    [
      'a risk scorer that is not there',
      () => ({ risk: { scorer: { ...LOOPBACK, baseUrl: 'http://127.0.0.1:9/v1', model: 'small' } } }),
      'scorer-unreachable',
      'warning',
      /Is it up/,
    ],
    [
      'a risk scorer whose secret does not exist',
      () => ({ risk: { scorer: { ...LOOPBACK, baseUrl: clinic.upstream.url, model: 'small', secret: 'absent' } } }),
      'secret-missing',
      'warning',
      /secrets set absent/,
    ],
  ])('finds %s', async (_name, change, code, status, remedy) => {
    const tenant = await clinic.newTenant(clinic.soundDocument(change()));
    const { find } = await clinic.ask(tenant);
    expect(find(code)).toMatchObject({ status, remedy: expect.stringMatching(remedy) });
  });

  test('finds keys that have ended, and those that soon will', async () => {
    const tenant = await clinic.newTenant(clinic.soundDocument());
    const issue = (days: number) =>
      control(clinic.gateway, 'POST', '/v1/agents/coder/keys', {
        tenant,
        body: { expiresAt: new Date(Date.now() + days * 86_400_000).toISOString() },
      });
    expect((await issue(3)).status).toBe(201);
    expect((await clinic.ask(tenant)).findings.filter(({ status }) => status !== 'ok')).toEqual([]);
    const [{ id }] = (await control(clinic.gateway, 'GET', '/v1/agents/coder/keys', { tenant }))
      .json()
      .items.filter(({ expiresAt }: { expiresAt?: string }) => expiresAt === undefined);
    await control(clinic.gateway, 'DELETE', `/v1/agents/coder/keys/${id}`, { tenant });
    expect((await clinic.ask(tenant)).find('key-expiring')).toMatchObject({ about: 'agent coder' });
    const later = { environment: { POSTERN_DNS_SERVERS: clinic.dns.address }, now: () => Date.now() + 4 * 86_400_000 };
    const ended = await doctor(clinic.gateway.dataFolder, ['--tenant', tenant], later);
    expect(ended.find('keys-expired')).toMatchObject({ status: 'broken' });
    expect(ended.find('clock-skew')).toBeDefined();
    expect((await issue(30)).status).toBe(201);
    const one = await doctor(clinic.gateway.dataFolder, ['--tenant', tenant], later);
    expect(one.find('key-expired')).toMatchObject({ remedy: expect.stringContaining('keys revoke coder') });
  });

  test('finds rules that name what was removed since', async () => {
    const rules = [
      { id: 'reads', effect: 'allow', integrations: ['api'] },
      { id: 'gone', effect: 'allow', agents: ['old'], integrations: ['api'] },
    ];
    const old = { name: 'old', owner: 'alice', key: generateAgentKey().key };
    const document = clinic.soundDocument({ rules });
    const tenant = await clinic.newTenant({ ...document, agents: [...(document['agents'] as object[]), old] });
    await control(clinic.gateway, 'DELETE', '/v1/agents/old', { tenant });
    expect((await clinic.ask(tenant)).find('rule-names-nothing')).toMatchObject({
      about: 'rule gone',
      message: 'names agent old, which does not exist',
    });
  });

  test('finds an upstream whose authority is private, until it is named', async () => {
    const authority = createCertificateAuthority();
    const { cert, key } = authority.issue(['127.0.0.1']);
    await using secure = await startUpstream({ tls: { cert, key } });
    const without = await clinic.newTenant(
      clinic.soundDocument({ integrations: [clinic.soundIntegration({ baseUrl: secure.url })] }),
    );
    expect((await clinic.ask(without)).find('upstream-tls')).toMatchObject({
      status: 'broken',
      remedy: expect.stringContaining('tls.ca'),
    });
    const tls = { ca: authority.cert };
    const named = await clinic.newTenant(
      clinic.soundDocument({ integrations: [clinic.soundIntegration({ baseUrl: secure.url, tls })] }),
    );
    expect((await clinic.ask(named)).findings.filter(({ status }) => status !== 'ok')).toEqual([]);
    expect(secure.requests).toEqual([]);
  });

  test('leaves upstreams alone when it is told to', async () => {
    const baseUrl = 'https://nowhere.test';
    const tenant = await clinic.newTenant(
      clinic.soundDocument({ integrations: [clinic.soundIntegration({ baseUrl })] }),
    );
    expect((await clinic.ask(tenant, ['--no-connect'])).find('host-unresolved')).toBeUndefined();
  });
});

test('the control plane’s answers do not end up in the audit log as anything but reads', async () => {
  const before = (await auditEvents(clinic.gateway)).length;
  await doctor(clinic.gateway.dataFolder);
  expect((await auditEvents(clinic.gateway)).length).toBe(before);
});

describe('the list of mistakes', () => {
  const read = (file: string) => readFileSync(path.resolve(import.meta.dirname, '..', file), 'utf8');

  test('has each of them shown by a test', () => {
    const tests = [
      ...['test/doctor.test.ts', 'test/doctor-calls.test.ts', 'test/doctor-machine.test.ts'],
      // What needs another machine, a full disk or a token endpoint is shown beside the code.
      ...[
        'apps/cli/src/doctor/check-nodes.test.ts',
        'apps/cli/src/doctor/check-configuration.test.ts',
        'apps/cli/src/doctor/check-machine.test.ts',
      ],
    ].map(read);
    expect(Object.keys(MISTAKES).filter((code) => !tests.some((text) => text.includes(`'${code}'`)))).toEqual([]);
  });

  test('is the guide’s', () => {
    const guide = read('docs/guides/operations.md');
    const rest = guide.slice(guide.indexOf('## What `postern doctor` finds'));
    const table = rest.slice(rest.indexOf('\n| ')).split('\n\n')[0] ?? '';
    const rows = [...table.matchAll(/^\| `([a-z-]+)` +\| (.+?) +\|$/gm)].map(([, code, meaning]) => [code, meaning]);
    expect(Object.fromEntries(rows)).toEqual(MISTAKES);
  });
});
