import type { Entry } from '@postern/schemas';
import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { auditEvents, control, eventualAuditEvents } from './support/audit-log.ts';
import { call } from './support/http-client.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const VERSIONS = 12;
const CALLERS = 8;
const coder = newAgent('coder');
let upstream: Upstream;
let gateway: RunningGateway;

/** Of each version every rule bears its number, and a call is allowed by one, limited by another and denied by a third. */
function rulesOf(version: number): object[] {
  const when = (path: string) => `request.path == "${path}" && ${version} >= 0`;
  return [
    { id: `allow-${version}`, effect: 'allow', integrations: ['api'], when: when('/a') },
    {
      id: `pace-${version}`,
      effect: 'rate_limit',
      integrations: ['api'],
      limit: { requests: 1_000_000, perSeconds: 60 },
    },
    { id: `deny-${version}`, effect: 'deny', integrations: ['api'], when: when('/b') },
  ];
}

beforeAll(async () => {
  upstream = await startUpstream();
  upstream.answerWith((_request, response) => void response.end('ok'));
  const config = configOf([coder], [integration('api', upstream.url)], { rules: rulesOf(0) });
  gateway = await startGateway({ config });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

test('while versions change under load no call is decided by two, none fails, and each change is in force at once', async () => {
  let isOver = false;
  const paces: string[] = [];
  const statuses = new Set<string>();
  const callOn = async (path: string) => {
    const answer = await call(gateway.dataUrl, `/to/api${path}`, { headers: { 'postern-key': coder.key } });
    statuses.add(`${path} ${answer.status}`);
    const pace = /"pace-(\d+)"/.exec(answer.headers['ratelimit-policy'] ?? '')?.[1];
    if (path === '/a') paces.push(`${answer.headers['postern-request-id']} ${pace}`);
    return answer;
  };
  const load = Array.from({ length: CALLERS }, async () => {
    while (!isOver) for (const path of ['/a', '/b']) await callOn(path);
  });
  for (let version = 1; version <= VERSIONS; version += 1) {
    const body = { version: 1, rules: rulesOf(version) };
    expect((await control(gateway, 'POST', '/v1/apply', { body })).status).toBe(200);
    const next = await callOn('/a');
    expect(next.headers['ratelimit-policy']).toContain(`"pace-${version}"`);
  }
  isOver = true;
  await Promise.all(load);

  expect([...statuses].sort()).toEqual(['/a 200', '/b 403']);
  await eventualAuditEvents(gateway, { type: 'outcome' }, paces.length);
  const intents = await auditEvents(gateway, { type: 'intent' });
  const versionOfRule = new Map<string, string>();
  for (const { rule = '', policyVersion = '' } of [...intents, ...(await auditEvents(gateway, { type: 'denied' }))]) {
    const number = rule.slice(rule.indexOf('-') + 1);
    expect(versionOfRule.get(number) ?? policyVersion).toBe(policyVersion);
    versionOfRule.set(number, policyVersion);
  }
  expect(new Set(versionOfRule.values()).size).toBe(VERSIONS + 1);
  const ruleOf = new Map(intents.map(({ requestId, rule }: Entry) => [requestId, rule]));
  for (const pace of paces) {
    const [requestId, number] = pace.split(' ');
    expect(ruleOf.get(requestId)).toBe(`allow-${number}`);
  }
  expect(paces.length).toBe(intents.length);
});

test.each<[string, object, object]>([
  [
    'an unknown fact',
    { effect: 'allow', when: 'agent.trust > 1 && request.bdy == 1' },
    { field: 'rules[0].when', position: 27 },
  ],
  ['a wrong type', { effect: 'deny', when: 'request.path + 1 == "x"' }, { field: 'rules[0].when', position: 0 }],
  [
    'what its phase lacks',
    { effect: 'rate_limit', when: 'count.day > 1', limit: { requests: 1, perSeconds: 1 } },
    { field: 'rules[0].when', position: 6 },
  ],
  [
    'a regex that refers back',
    { effect: 'deny', when: 'request.path.matches(r"(a)\\1")' },
    { field: 'rules[0].when', position: expect.any(Number) },
  ],
  [
    'a window of nothing',
    { effect: 'rate_limit', limit: { requests: 1, perSeconds: 0 } },
    { field: 'rules[0].limit.perSeconds' },
  ],
  [
    'an unknown field',
    { effect: 'allow', wehn: 'true' },
    { field: 'rules[0].wehn', message: expect.stringContaining('"when"') },
  ],
  ['what other effects have', { effect: 'allow', limit: { requests: 1, perSeconds: 1 } }, { field: 'rules[0].limit' }],
])('%s is refused by apply and by the API, and the policy in force stays', async (_title, rule, issue) => {
  const before = (await auditEvents(gateway, { type: 'policy.activated' })).length;
  const applied = await control(gateway, 'POST', '/v1/apply', {
    body: { version: 1, rules: [{ id: 'bad', ...rule }] },
  });
  expect(applied.status).toBe(422);
  expect(applied.json().issues[0]).toMatchObject(issue);
  const created = await control(gateway, 'POST', '/v1/rules', { body: { id: 'bad', ...rule } });
  expect(created.status).toBe(422);
  const { field } = issue as { field: string };
  expect(created.json().issues[0]).toMatchObject({ ...issue, field: field.replace('rules[0].', '') });
  if ('position' in issue) {
    for (const answer of [applied, created]) {
      expect(answer.json().issues[0]).toMatchObject({
        rule: 'bad',
        message: expect.stringMatching(/\(at character \d+\)$/),
      });
    }
  }
  expect((await auditEvents(gateway, { type: 'policy.activated' })).length).toBe(before);
});
