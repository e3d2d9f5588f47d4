import type { Entry } from '@postern/schemas';
import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { auditEvents, control, eventualAuditEvents } from './support/audit-log.ts';
import { readDatabase } from './support/database.ts';
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

const TOGGLE_MS = 100;
const TOGGLES = 30;
const TOGGLERS = 32;
/** Specification, section 8. */
const VISIBLE_MS_MAX = 2_000;

/** Of two versions what one allows the other denies; each of 50 rules bears the version's name. */
function oppositeRules(name: string, open: string): object[] {
  const shut = open === 'a' ? 'b' : 'a';
  const others = Array.from({ length: 48 }, (_, place) => {
    return { id: `${name}-other-${place}`, effect: 'allow', paths: [`/${name}/${place}`], when: 'agent.trust >= 0' };
  });
  return [
    { id: `${name}-open`, effect: 'allow', when: `request.path == "/${open}"` },
    { id: `${name}-shut`, effect: 'deny', when: `request.path == "/${shut}"` },
    ...others,
  ];
}

test('while two versions take turns every 100 ms each of 32 callers is judged by one of them, and none fails', async () => {
  const drafted = async (rules: object[]) => {
    const answer = await control(gateway, 'POST', '/v1/policies', { body: { rules } });
    expect(answer.status).toBe(201);
    return answer.json().number as number;
  };
  const [left, right] = [await drafted(oppositeRules('left', 'a')), await drafted(oppositeRules('right', 'b'))];
  const { adminToken: token } = gateway;
  const openOf = new Map([
    [left, '/a'],
    [right, '/b'],
  ]);
  const versions = new Map<string, number>();
  const activate = async (number: number) => {
    const answer = await control(gateway, 'POST', `/v1/policies/${number}/activate`, { token });
    expect(answer.status).toBe(200);
    versions.set(answer.json().policyVersion, number);
  };
  await activate(left);

  const from = Date.now();
  let isOver = false;
  const statusOf = new Map<string, number>();
  const callOn = async (path: string) => {
    const { status, headers } = await call(gateway.dataUrl, `/to/api${path}`, {
      headers: { 'postern-key': coder.key },
    });
    statusOf.set(`${headers['postern-request-id']} ${path}`, status);
    return status;
  };
  const load = Array.from({ length: TOGGLERS }, async () => {
    while (!isOver) for (const path of ['/a', '/b']) await callOn(path);
  });
  let slowestMs = 0;
  for (let turn = 0; turn < TOGGLES; turn += 1) {
    const next = turn % 2 === 0 ? right : left;
    const startedMs = performance.now();
    await activate(next);
    // Who was told that it is in force finds it so.
    expect(await callOn(openOf.get(next) ?? '')).toBe(200);
    slowestMs = Math.max(slowestMs, performance.now() - startedMs);
    await new Promise((resolve) => setTimeout(resolve, TOGGLE_MS));
  }
  isOver = true;
  await Promise.all(load);
  expect(slowestMs).toBeLessThan(VISIBLE_MS_MAX);
  expect([...new Set(statusOf.values())].sort()).toEqual([200, 403]);
  const entryOf = await entriesOf(statusOf.size, from);
  const judgedBy = new Map<number, number>();
  for (const [called, status] of statusOf) {
    const [requestId = '', path = ''] = called.split(' ');
    const [entry, ...more] = entryOf.get(requestId) ?? [];
    const version = versions.get(entry?.policyVersion ?? '') ?? 0;
    const isOpen = openOf.get(version) === path;
    const name = version === left ? 'left' : 'right';
    expect({ more, rule: entry?.rule, decision: entry?.decision, status }).toEqual({
      more: [],
      rule: `${name}-${isOpen ? 'open' : 'shut'}`,
      decision: isOpen ? 'allow' : 'deny',
      status: isOpen ? 200 : 403,
    });
    judgedBy.set(version, (judgedBy.get(version) ?? 0) + 1);
  }
  expect([...judgedBy.keys()].sort()).toEqual([left, right].sort());
});

/** What was recorded of calls from `from` on, by request id, once there are entries of `count` calls: they ride behind the answers. */
function entriesOf(count: number, from: number): Promise<ReadonlyMap<string, readonly Entry[]>> {
  return vi.waitFor(
    () => {
      const rows = readDatabase<{ entry: string }>(
        gateway.dataFolder,
        `select entry from audit_entries where json_extract(entry, '$.type') in ('intent', 'denied')
          and json_extract(entry, '$.at') >= ${from}`,
      );
      const byCall = Map.groupBy(
        rows.map(({ entry }) => JSON.parse(entry) as Entry),
        ({ requestId = '' }) => requestId,
      );
      expect(byCall.size).toBe(count);
      return byCall;
    },
    { timeout: 5_000, interval: 100 },
  );
}

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
