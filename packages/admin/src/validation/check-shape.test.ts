import { configDocumentSchema, ruleSchema } from '@postern/schemas';
import { expect, test } from 'vitest';
import { checkShape, fieldText, pathOfField, toValidationIssue } from './check-shape.ts';

function faultsOf(value: unknown): string[] {
  return checkShape(configDocumentSchema, value).issues.map((issue) => {
    const { field, message } = toValidationIssue(issue);
    return `${field}: ${message}`;
  });
}

function withIntegration(members: object): object {
  return { version: 1, integrations: [{ name: 'a', baseUrl: 'https://a.example', ...members }] };
}

test.each<[string, unknown, string]>([
  ['no version', {}, 'version: must be 1'],
  ['another version', { version: 2 }, 'version: must be 1'],
  ['a misspelt section', { version: 1, rulez: [] }, 'rulez: is not a known field; did you mean "rules"?'],
  ['a section without a value', { version: 1, agents: null }, 'agents: must be a list; write [] for none'],
  [
    'a section of the full format',
    { version: 1, redaction: { depth: 5 } },
    'redaction: is not supported by this version',
  ],
  ['a number for text', withIntegration({ baseUrl: 12 }), 'integrations[0].baseUrl: must be text; write it in quotes'],
  ['a missing member', { version: 1, integrations: [{ name: 'a' }] }, 'integrations[0].baseUrl: is required'],
  [
    'a number below its bound',
    withIntegration({ timeouts: { connectMs: 0 } }),
    'integrations[0].timeouts.connectMs: must be at least 1',
  ],
  [
    'a number above its bound',
    withIntegration({ limits: { concurrency: 10_001 } }),
    'integrations[0].limits.concurrency: must be at most 10000',
  ],
  [
    'no attempt at all',
    withIntegration({ retry: { attempts: 0 } }),
    'integrations[0].retry.attempts: must be at least 1',
  ],
  [
    'a breaker that never opens',
    withIntegration({ breaker: { failures: 0 } }),
    'integrations[0].breaker.failures: must be at least 1',
  ],
  [
    'a fraction',
    withIntegration({ timeouts: { totalMs: 1.5 } }),
    'integrations[0].timeouts.totalMs: must be a whole number',
  ],
  [
    'a misspelt member within a member',
    withIntegration({ limits: { concurency: 1 } }),
    'integrations[0].limits.concurency: is not a known field; did you mean "concurrency"?',
  ],
  [
    'an unknown credential type',
    withIntegration({ credential: { type: 'kerberos' } }),
    'integrations[0].credential.type: must be one of none, bearer, header, query, basic, hmac, oauth2_client_credentials, oauth2_refresh, aws_sigv4, jwt_bearer, github_app, mtls',
  ],
  [
    'an unknown effect',
    { version: 1, rules: [{ id: 'a', effect: 'permit' }] },
    'rules[0].effect: must be one of allow, deny, require_approval, rate_limit',
  ],
  [
    'a condition that is no text',
    { version: 1, rules: [{ id: 'a', effect: 'deny', when: true }] },
    'rules[0].when: must be text; write it in quotes',
  ],
  [
    'a window of nothing',
    { version: 1, rules: [{ id: 'a', effect: 'rate_limit', limit: { requests: 1, perSeconds: 0 } }] },
    'rules[0].limit.perSeconds: must be at least 1',
  ],
  [
    'a limit beyond the largest',
    { version: 1, rules: [{ id: 'a', effect: 'rate_limit', limit: { requests: 1_000_001, perSeconds: 1 } }] },
    'rules[0].limit.requests: must be at most 1000000',
  ],
  [
    'a counter for what no limit counts',
    { version: 1, rules: [{ id: 'a', effect: 'rate_limit', limit: { requests: 1, perSeconds: 1, per: ['path'] } }] },
    'rules[0].limit.per[0]: must be one of tenant, agent, integration, action, method, host',
  ],
  [
    'approval by nobody',
    { version: 1, rules: [{ id: 'a', effect: 'require_approval', approval: { approvers: 0 } }] },
    'rules[0].approval.approvers: must be at least 1',
  ],
  [
    'an empty list',
    { version: 1, rules: [{ id: 'a', effect: 'deny', hosts: [] }] },
    'rules[0].hosts: must have at least 1 item',
  ],
  [
    'a repeated item',
    { version: 1, agents: [{ name: 'a', roles: ['x', 'x'] }] },
    'agents[0].roles: must not repeat an item',
  ],
  ['a secret of neither form', { version: 1, secrets: { a: {} } }, 'secrets.a: must have from or value'],
  [
    'a bad source',
    { version: 1, secrets: { a: { from: 'vault:x' } } },
    'secrets.a.from: must be env:NAME or file:PATH',
  ],
  ['a bare secret', { version: 1, secrets: { a: 'hunter22' } }, 'secrets.a: must be an object'],
  [
    'a source for a key that is none',
    { version: 1, agents: [{ name: 'a', key: { from: 'x' } }] },
    'agents[0].key.from: must be env:NAME or file:PATH',
  ],
])('%s is told with its field', (_title, document, fault) => {
  expect(faultsOf(document)).toEqual([fault]);
});

test('all faults of a document are told at once', () => {
  expect(faultsOf({ version: 1, agents: [{}, { name: 'b', trust: 'much' }], rulez: [] })).toEqual([
    'agents[0].name: is required',
    'agents[1].trust: must be one of untrusted, low, medium, high, admin',
    'rulez: is not a known field; did you mean "rules"?',
  ]);
});

test('no message repeats a value', () => {
  const secret = 'tr0ub4dor-and-3';
  const faults = faultsOf({
    version: 1,
    secrets: { a: { value: [secret] }, b: secret, c: { from: secret } },
    agents: [{ name: secret.repeat(9), key: { value: { secret } }, trust: secret }],
    integrations: [{ name: 'a', baseUrl: { secret }, credential: { type: secret } }],
  });
  expect(faults.length).toBeGreaterThan(6);
  expect(faults.join('\n')).not.toContain(secret);
});

test('members of the full format that ask for nothing pass', () => {
  const document = {
    version: 1,
    templates: [],
    redaction: {},
    notifications: [],
    ...withIntegration({ listen: null, template: null, idempotency: {} }),
  };
  expect(faultsOf(document)).toEqual([]);
});

test('the place of a value tells members this version lacks from misspelt ones', () => {
  const given = { version: 1, redaction: { depth: 5 } };
  const message = (place: readonly (string | number)[]) =>
    checkShape(configDocumentSchema, given, place).issues[0]?.message;
  expect(message([])).toBe('is not supported by this version');
  expect(message(['elsewhere'])).toBe('is not a known field');
});

test.each<[readonly (string | number)[], string]>([
  [['integrations', 0, 'timeouts', 'connectMs'], 'integrations[0].timeouts.connectMs'],
  [['secrets', 'a b'], 'secrets["a b"]'],
  [[], ''],
])('the path %j is written %s', (path, text) => {
  expect(fieldText(path)).toBe(text);
});

test('the fault of a rule is told with its id, wherever the rule stands', () => {
  const told = (document: object, place?: readonly (string | number)[]) =>
    checkShape(configDocumentSchema, document, place).issues.map((issue) => toValidationIssue(issue).rule);
  const bad = { id: 'bad', effect: 'allow', methods: [7] };
  expect(told({ version: 1, rules: [{ id: 'good', effect: 'deny' }, bad] })).toEqual(['bad']);
  expect(told({ version: 1, global: { rules: [bad] } })).toEqual(['bad']);
  expect(told({ version: 1, rules: [{ ...bad, id: 'no name' }] })).toEqual([undefined, undefined]);
  expect(told({ version: 1, rules: bad, agents: [{}] })).toEqual([undefined, undefined]);
  expect(checkShape(ruleSchema, bad, ['rules', 0]).issues).toMatchObject([{ path: ['methods', 0], rule: 'bad' }]);
  expect(checkShape(ruleSchema, bad).issues[0]).not.toHaveProperty('rule');
});

test('a field that another package names is read back into its path', () => {
  expect(pathOfField('actions[2].paths[0]')).toEqual(['actions', 2, 'paths', 0]);
});
