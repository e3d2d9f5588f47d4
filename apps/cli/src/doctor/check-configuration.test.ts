import { agentSchema, integrationSchema, ruleSchema } from '@postern/schemas';
import { describe, expect, test } from 'vitest';
import { type Configuration, checkConfiguration } from './check-configuration.ts';

const NOW = Date.UTC(2026, 2, 1);
const DAY_MS = 86_400_000;
const inDays = (days: number) => new Date(NOW + days * DAY_MS).toISOString();

function agent(members: object = {}, keys: Configuration['agents'][number]['keys'] = [{ id: 'k1' }]) {
  return { ...agentSchema.parse({ name: 'coder', owner: 'alice', ...members }), keys };
}

function integration(members: object = {}) {
  const credential = { type: 'bearer', secret: 'token' };
  return integrationSchema.parse({ name: 'github', baseUrl: 'https://api.github.com', credential, ...members });
}

const rule = (members: object = {}) =>
  ruleSchema.parse({ id: 'reads', effect: 'allow', integrations: ['github'], ...members });

function findings(change: Partial<Configuration>) {
  const sound: Configuration = {
    agents: [agent()],
    integrations: [integration()],
    secrets: [{ name: 'token' }],
    rules: [rule()],
  };
  return checkConfiguration({ ...sound, ...change }, NOW);
}

/** Of each finding: how bad, of what, and the message. */
function told(change: Partial<Configuration>): string[] {
  return findings(change).map(({ status, about, message }) => `${status}: ${about}: ${message}`);
}

test('a sound configuration has no findings but that', () => {
  expect(told({})).toEqual(['ok: configuration: 1 agents and 1 integrations have none of the known mistakes']);
});

test('every mistake comes with a remedy', () => {
  const all = findings({
    agents: [agent({ owner: undefined }, [])],
    secrets: [],
    rules: [rule({ agents: ['nobody'] })],
  });
  expect(all.length).toBeGreaterThan(3);
  for (const finding of all) expect(finding.remedy).toBeTruthy();
});

test('an integration whose template does not exist is broken, though it counts as disabled', () => {
  const missing = { ...integration({ template: 'acme@1', disabled: true }), isTemplateMissing: true };
  expect(findings({ integrations: [missing] })).toContainEqual(
    expect.objectContaining({
      status: 'broken',
      code: 'template-missing',
      about: 'integration github',
      message: 'its template acme@1 does not exist: every call to it is refused',
    }),
  );
});

describe('an agent', () => {
  test('without an owner is a warning', () => {
    expect(told({ agents: [agent({ owner: undefined })] })).toEqual([
      expect.stringContaining('warning: agent coder: has no owner'),
    ]);
  });

  test('that is disabled may lack everything', () => {
    expect(told({ agents: [agent({ owner: undefined, disabled: true }, [])] })).toEqual([expect.stringMatching(/^ok/)]);
  });

  test('without a key is a warning', () => {
    expect(told({ agents: [agent({}, [])] })).toEqual(['warning: agent coder: has no key, and cannot call']);
  });

  test.each([
    ['expired', [{ id: 'k1', expiresAt: inDays(0) }]],
    ['revoked', [{ id: 'k1', revokedAt: inDays(-1) }]],
  ])('whose only key is %s is broken', (_name, keys) => {
    expect(told({ agents: [agent({}, keys)] })).toEqual([
      'broken: agent coder: all its keys have expired or are revoked',
    ]);
  });

  test('with an expired key beside a valid one is a warning', () => {
    const keys = [{ id: 'k1', expiresAt: inDays(-1) }, { id: 'k2' }];
    expect(told({ agents: [agent({}, keys)] })).toEqual(['warning: agent coder: key k1 has expired']);
  });

  test.each([
    [7, 'warning: agent coder: its last key ends within a week'],
    [8, 'ok: configuration: 1 agents and 1 integrations have none of the known mistakes'],
  ])('whose last key ends in %i days', (days, message) => {
    expect(told({ agents: [agent({}, [{ id: 'k1', expiresAt: inDays(days) }])] })).toEqual([message]);
  });
});

describe('an integration', () => {
  test('whose secret does not exist is broken', () => {
    expect(told({ secrets: [] })).toEqual(['broken: integration github: its secret token does not exist']);
  });

  test('without a credential needs no secret', () => {
    expect(told({ integrations: [integration({ credential: { type: 'none' } })], secrets: [] })).toEqual([
      expect.stringMatching(/^ok/),
    ]);
  });

  test.each([
    ['the secret is for others', { secret: ['prod'], agent: 'dev' }, 'broken'],
    ['the secret is for some, and the agent has no environment', { secret: ['dev'] }, 'broken'],
    ['the integration is for others', { integration: ['prod'], agent: 'dev' }, 'broken'],
    [
      'integration and secret are for different ones',
      { integration: ['dev'], secret: ['prod'], agent: 'dev' },
      'broken',
    ],
    ['both are for it', { integration: ['dev'], secret: ['dev', 'prod'], agent: 'dev' }, 'ok'],
    ['both are for all', {}, 'ok'],
  ])('when %s', (_name, environments: { integration?: string[]; secret?: string[]; agent?: string }, status) => {
    const { integration: own, secret, agent: environment } = environments;
    const [finding] = findings({
      agents: [agent({ environment })],
      integrations: [integration({ environments: own })],
      secrets: [{ name: 'token', ...(secret === undefined ? {} : { environments: secret }) }],
    });
    expect(finding?.status).toBe(status);
  });

  test('that sends its secret over http is a warning', () => {
    const network = { unsafeAllowCleartextCredentials: true };
    expect(told({ integrations: [integration({ baseUrl: 'http://api.github.com', network })] })).toEqual([
      expect.stringContaining('warning: integration github: sends secret token over http'),
    ]);
    const local = integration({ baseUrl: 'http://127.0.0.1:8200', network });
    expect(told({ integrations: [local] })).toEqual([expect.stringMatching(/^ok/)]);
    const none = integration({ baseUrl: 'http://api.github.com', credential: { type: 'none' } });
    expect(told({ integrations: [none] })).toEqual([expect.stringMatching(/^ok/)]);
  });

  test.each([
    ['no rule names', [rule({ id: 'other', integrations: undefined, effect: 'deny' })], 'warning'],
    ['only a disabled rule allows', [rule({ disabled: true })], 'warning'],
    ['a rule for all allows', [rule({ integrations: undefined })], 'ok'],
    ['a person may allow', [rule({ effect: 'require_approval' })], 'ok'],
  ])('that %s', (_name, rules, status) => {
    expect(findings({ rules })[0]?.status).toBe(status);
  });
});

describe('tokens for a credential', () => {
  const credential = { type: 'oauth2_refresh', secret: 'token', tokenUrl: 'https://id.example.com', clientId: 'me' };
  const stateOf = (credentialState?: object) =>
    findings({
      integrations: [{ ...integration({ credential }), ...(credentialState && { credentialState }) } as never],
    })[0];

  test.each([
    ['not asked for', undefined, 'ok'],
    ['given out', { status: 'ok' }, 'ok'],
    ['not to be had at present', { status: 'failing', code: 'timeout' }, 'warning'],
    ['refused for good', { status: 'permanent_failure', code: 'invalid_grant' }, 'broken'],
  ])('%s', (_name, state, status) => {
    expect(stateOf(state)?.status).toBe(status);
  });

  test('tell the reason and the remedy', () => {
    expect(stateOf({ status: 'permanent_failure', code: 'invalid_grant' })).toMatchObject({
      code: 'credential-failing',
      message: 'the token endpoint refuses its credential for good (invalid_grant)',
      remedy: 'Write a valid one: postern secrets set token',
    });
  });

  test('need both secrets', () => {
    const both = integration({ credential: { ...credential, clientSecret: 'client' } });
    expect(told({ integrations: [both] })).toEqual(['broken: integration github: its secret client does not exist']);
  });
});

describe('a rule', () => {
  test.each([
    [{ agents: ['codre'] }, 'agent codre'],
    [{ integrations: ['github', 'gitlab'] }, 'integration gitlab'],
    [{ actions: ['issues.reed'] }, 'action issues.reed'],
  ])('that names what does not exist is a warning', (members, missing) => {
    const actions = [{ name: 'issues.read', methods: ['GET'], paths: ['/issues'] }];
    const given = { rules: [rule(members)], integrations: [integration({ actions })] };
    expect(told(given)).toEqual([`warning: rule reads: names ${missing}, which does not exist`]);
  });

  test.each([
    [{ environment: 'dev' }, ['environment:dev'], 'ok'],
    [{ environment: 'prod' }, ['environment:dev'], 'warning'],
    [{}, ['environment:dev'], 'warning'],
    [{ roles: ['developer'] }, ['role:developer'], 'ok'],
    [{ roles: ['reader'] }, ['role:developer'], 'warning'],
    [{ trust: 'medium' }, ['trust>=2'], 'ok'],
    [{ trust: 'medium' }, ['trust>=medium'], 'ok'],
    [{ trust: 'low' }, ['trust>=2'], 'warning'],
    [{ trust: 'low' }, ['trust>=medium'], 'warning'],
    [{ trust: 'low' }, ['trust>=medium', 'role:developer'], 'warning'],
    [{ trust: 'low' }, ['trust>=medium', 'coder'], 'ok'],
  ])('with an agent of %o, for %o', (members, agents, status) => {
    expect(findings({ agents: [agent(members)], rules: [rule({ agents })] })[0]?.status).toBe(status);
  });

  test.each([
    ['all', {}, true],
    ['all of the integration', { integrations: ['github'] }, true],
    ['of another integration', { integrations: ['other'] }, false],
    ['of one of its methods', { methods: ['GET'] }, false],
    ['of its methods', { methods: ['HEAD', 'GET', 'POST'] }, true],
    ['of its agent', { agents: ['coder'] }, true],
    ['of a role', { agents: ['role:developer'] }, false],
    ['under its paths', { paths: ['/repos/**'] }, true],
    ['of any path', { paths: ['/**'] }, true],
    ['under paths that lie apart', { paths: ['/orgs/**'] }, false],
    ['of deeper paths alone', { paths: ['/repos/acme/secret'] }, false],
    ['that is disabled', { disabled: true }, false],
    ['with a condition', { when: 'agent.trust < 2' }, false],
    ['in shadow', { shadow: true }, false],
  ])('against a deny %s', (_name, members, isShadowed) => {
    const allow = rule({ agents: ['coder'], methods: ['GET', 'HEAD'], paths: ['/repos/acme/**'] });
    const integrations = [integration(), integration({ name: 'other' })];
    const rules = [
      allow,
      rule({ id: 'never', effect: 'deny', hard: true, integrations: undefined, ...members }),
      rule({ id: 'more', integrations: ['other'] }),
    ];
    const shadowed = findings({ integrations, rules }).filter(
      ({ code, about }) => code === 'rule-shadowed' && about === 'rule reads',
    );
    expect(shadowed.length).toBe(isShadowed ? 1 : 0);
  });

  test('of a template that the base URL is not for is told once', () => {
    const act = (name: string, path: string) => ({ name, methods: ['GET'], paths: [path] });
    const using = (...actions: object[]) =>
      findings({
        integrations: [integration({ baseUrl: 'https://github.intern/api/v3', template: 'github@1', actions })],
      });
    const [finding, ...more] = using(act('a', '/api/v3/repos'), act('b', '/repos/**'), act('c', '/user'));
    expect(finding).toMatchObject({ code: 'rule-outside-base', about: 'integration github' });
    expect(finding?.message).toContain('action b: no path of github fits /repos/**');
    expect(more).toEqual([]);
    expect(using(act('a', '/api/v3/repos')).map(({ code }) => code)).toEqual([undefined]);
  });

  test.each([
    ['/v1/repos/**', true],
    ['/v1', true],
    ['/**', true],
    ['/*/repos', true],
    ['/{version}/repos', true],
    ['/v1/**/x', true],
    ['/repos/**', false],
    ['/v2/**', false],
    ['/', false],
    ['/v1evil', false],
  ])('for %s at an upstream under /v1', (pattern, fits) => {
    const based = integration({ baseUrl: 'https://api.github.com/v1' });
    const codes = findings({ integrations: [based], rules: [rule({ paths: [pattern] })] }).map(({ code }) => code);
    expect(codes).toEqual([fits ? undefined : 'rule-outside-base']);
    const actions = [{ name: 'act', methods: ['GET'], paths: [pattern] }];
    const acting = findings({ integrations: [{ ...based, ...integration({ baseUrl: based.baseUrl, actions }) }] });
    expect(acting.map(({ code }) => code)).toEqual([fits ? undefined : 'rule-outside-base']);
  });
});
