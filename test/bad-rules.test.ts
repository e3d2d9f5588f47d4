import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { compilePolicy, PolicyError } from '@postern/policy';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { control } from './support/audit-log.ts';
import { refusedStart } from './support/refused-start.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

/** Every invalid rule is refused through every door, with the rule's id, the field, and the position or the line (issue 4, bad input). */

const BIN = path.resolve(import.meta.dirname, '../apps/cli/bin/postern.js');
const limit = { requests: 1, perSeconds: 1 };
const nested = (depth: number) => `${'('.repeat(depth)}true${')'.repeat(depth)}`;

/** A rule called `bad`, less its id; the field at fault; and within an expression the characters before the fault. */
const RULES: readonly [title: string, rule: object, field: string, position?: number | 'some'][] = [
  ['an unknown field', { effect: 'allow', wehn: 'true' }, 'wehn'],
  ['a field in another case', { effect: 'deny', Paths: ['/x'] }, 'Paths'],
  ['an unknown effect', { effect: 'permit' }, 'effect'],
  ['no effect', {}, 'effect'],
  ['a text for a list', { effect: 'allow', methods: 'GET' }, 'methods'],
  ['a number in a list', { effect: 'allow', agents: [7] }, 'agents[0]'],
  ['a list with nothing in it', { effect: 'allow', paths: [] }, 'paths'],
  ['a list with an item twice', { effect: 'allow', methods: ['GET', 'GET'] }, 'methods'],
  ['a text for a truth', { effect: 'deny', hard: 'yes' }, 'hard'],
  ['hard where it means nothing', { effect: 'allow', hard: true }, 'hard'],
  ['a method in lower case', { effect: 'allow', methods: ['GET', 'post'] }, 'methods[1]'],
  ['a host that is none', { effect: 'allow', hosts: ['a.example', 'b/c'] }, 'hosts[1]'],
  ['a host that no URL has', { effect: 'deny', hosts: ['0x7f.1'] }, 'hosts[0]'],
  ['a selector that is none', { effect: 'allow', agents: ['coder', 'trust>=9'] }, 'agents[1]'],
  ['a pattern with a wildcard within a segment', { effect: 'deny', paths: ['/a', '/b*'] }, 'paths[1]'],
  ['a pattern with a dot segment', { effect: 'deny', paths: ['/a/../b'] }, 'paths[0]'],
  ['a pattern that no path can fit', { effect: 'deny', paths: ['/%61dmin'] }, 'paths[0]'],
  ['a pattern with a query', { effect: 'deny', paths: ['/a?b'] }, 'paths[0]'],
  ['a window of nothing', { effect: 'rate_limit', limit: { ...limit, perSeconds: 0 } }, 'limit.perSeconds'],
  ['a negative window', { effect: 'rate_limit', limit: { ...limit, perSeconds: -5 } }, 'limit.perSeconds'],
  ['a window of half a second', { effect: 'rate_limit', limit: { ...limit, perSeconds: 0.5 } }, 'limit.perSeconds'],
  [
    'a window longer than 31 days',
    { effect: 'rate_limit', limit: { ...limit, perSeconds: 2_678_401 } },
    'limit.perSeconds',
  ],
  ['a window as text', { effect: 'rate_limit', limit: { ...limit, perSeconds: '60' } }, 'limit.perSeconds'],
  ['a limit of nothing', { effect: 'rate_limit', limit: { ...limit, requests: 0 } }, 'limit.requests'],
  ['a limit without a window', { effect: 'rate_limit', limit: { requests: 1 } }, 'limit.perSeconds'],
  [
    'a limit for what is not counted',
    { effect: 'rate_limit', limit: { ...limit, per: ['agent', 'path'] } },
    'limit.per[1]',
  ],
  ['an unknown field of a limit', { effect: 'rate_limit', limit: { ...limit, window: 1 } }, 'limit.window'],
  ['no limit', { effect: 'rate_limit' }, 'limit'],
  ['a limit with another effect', { effect: 'deny', limit }, 'limit'],
  ['terms of an approval with another effect', { effect: 'allow', approval: { approvers: 1 } }, 'approval'],
  ['an approval by nobody', { effect: 'require_approval', approval: { approvers: 0 } }, 'approval.approvers'],
  [
    'an approval of no time',
    { effect: 'require_approval', approval: { pendingSeconds: 0 } },
    'approval.pendingSeconds',
  ],
  ['a condition that is no text', { effect: 'deny', when: true }, 'when'],
  ['an empty condition', { effect: 'deny', when: ' ' }, 'when'],
  ['a condition that is no expression', { effect: 'deny', when: 'agent.trust >' }, 'when', 'some'],
  ['a condition that is no truth', { effect: 'allow', when: 'agent.trust' }, 'when', 0],
  ['a condition of another type', { effect: 'allow', when: 'true && agent.name > 2' }, 'when', 8],
  ['an unknown root', { effect: 'deny', when: 'true || response.status == 200' }, 'when', 8],
  ['an unknown fact', { effect: 'deny', when: 'agent.trust > 1 && request.bdy == 1' }, 'when', 27],
  ['an unknown function', { effect: 'deny', when: 'request.path.lower() == "/x"' }, 'when', 'some'],
  ['what its phase lacks', { effect: 'rate_limit', limit, when: 'true && count.day > 1' }, 'when', 14],
  ['a body that nobody sees', { effect: 'deny', actions: ['upload'], when: 'request.body.n == 1' }, 'when', 8],
  ['a regex that is open', { effect: 'deny', when: 'request.path.matches("(a")' }, 'when', 21],
  ['a regex that refers back', { effect: 'deny', when: String.raw`request.path.matches(r"(a)\1")` }, 'when', 21],
  ['a regex that looks ahead', { effect: 'deny', when: 'request.path.matches("a(?=b)")' }, 'when', 21],
  ['a regex with a long repetition', { effect: 'deny', when: 'request.path.matches("a{1001}")' }, 'when', 21],
  [
    'a regex with nested repetitions',
    { effect: 'deny', when: 'request.path.matches("((a{100}){100}){100}")' },
    'when',
    21,
  ],
  [
    'a regex that is large when written out',
    { effect: 'deny', when: 'request.path.matches("(a{30}b{30}){20}")' },
    'when',
    21,
  ],
  ['a regex that is too long', { effect: 'deny', when: `request.path.matches("${'a'.repeat(1001)}")` }, 'when', 21],
  [
    'a regex that is not in the rule',
    { effect: 'deny', when: 'request.path.matches(request.query["q"][0])' },
    'when',
    21,
  ],
  ['a condition that is nested too deep', { effect: 'deny', when: nested(300) }, 'when', 'some'],
  ['a condition that is too long', { effect: 'deny', when: `true || "${'a'.repeat(16_384)}" == ""` }, 'when'],
];

const integrations = [
  {
    name: 'api',
    baseUrl: 'https://api.example.com',
    actions: [{ name: 'upload', methods: ['PUT'], paths: ['/**'], body: 'stream' }],
  },
];
const good = { id: 'good', effect: 'allow', methods: ['GET'] };
let gateway: RunningGateway;

beforeAll(async () => {
  gateway = await startGateway({ config: { version: 1, integrations, agents: [], rules: [good] } });
});

afterAll(() => gateway?.close());

interface Issue {
  readonly field: string;
  readonly rule?: string;
  readonly position?: number;
  readonly message: string;
  readonly line?: number;
}

/** It is one of the issues, none of which is told without the rule's id. */
function expectIssue(issues: readonly Issue[], field: string, position?: number | 'some', id = 'bad'): void {
  expect(issues.map(({ rule }) => rule)).toEqual(issues.map(() => id));
  const issue = issues.find((one) => one.field === field);
  expect(issues.map((one) => one.field)).toContain(field);
  expect(issue?.message).toMatch(/^\w/);
  if (position === undefined) return;
  expect(issue?.position).toEqual(position === 'some' ? expect.any(Number) : position);
  expect(issue?.message).toContain(`(at character ${issue?.position})`);
}

async function refused(answer: ReturnType<typeof control>): Promise<readonly Issue[]> {
  const { status, json } = await answer;
  expect(status).toBe(422);
  return json().issues;
}

describe('a rule with', () => {
  test.each(RULES)('%s is refused through every door', async (_title, rule, field, position) => {
    const written = { id: 'bad', ...rule };
    expectIssue(await refused(control(gateway, 'POST', '/v1/rules', { body: written })), field, position);
    expectIssue(await refused(control(gateway, 'PUT', '/v1/rules/good', { body: rule })), field, position, 'good');
    const documents = { version: 1, rules: [good, written] };
    expectIssue(
      await refused(control(gateway, 'POST', '/v1/apply', { body: documents })),
      `rules[1].${field}`,
      position,
    );
    expectIssue(
      await refused(control(gateway, 'POST', '/v1/policies', { body: { rules: [good, written] } })),
      `rules[1].${field}`,
      position,
    );
    const config = `version: 1\nintegrations: ${JSON.stringify(integrations)}\nrules:\n  - ${JSON.stringify(good)}\n  - ${JSON.stringify(written)}\n`;
    const said = await refusedStart({ config });
    expect(said).toContain(`postern.yaml:5: rules[1].${field}: `);
    expect(said).toContain(', in rule bad');
    if (typeof position === 'number') expect(said).toContain(`(at character ${position})`);
    expect((await control(gateway, 'GET', '/v1/rules')).json().items).toMatchObject([{ id: 'good' }]);
  });

  test.each(RULES)('%s is refused by the compiler alone', (_title, rule, field, position) => {
    let issues: PolicyError['issues'] = [];
    try {
      compilePolicy({ integrations, rules: [{ id: 'bad', ...rule }] });
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
      issues = error.issues;
    }
    expect(issues).not.toHaveLength(0);
    for (const issue of issues) expect(issue.ruleId).toBe('bad');
    // Of a repeated item the compiler tells the second, the schema the list.
    const issue = issues.find((one) => one.field.startsWith(field) || field.startsWith(one.field));
    expect(issue).toBeDefined();
    if (position !== undefined) expect(issue?.position).toEqual(position === 'some' ? expect.any(Number) : position);
  });
});

test('all faults of all rules are told at once', async () => {
  const rules = [
    { id: 'a', effect: 'permit', wehn: 'x' },
    { id: 'b', effect: 'rate_limit', limit: { requests: 0, perSeconds: 0 } },
  ];
  const issues = await refused(control(gateway, 'POST', '/v1/apply', { body: { version: 1, rules } }));
  expect(issues.map(({ rule, field }) => `${rule} ${field}`)).toEqual([
    'a rules[0].effect',
    'a rules[0].wehn',
    'b rules[1].limit.requests',
    'b rules[1].limit.perSeconds',
  ]);
});

test('the command line tells file, line, field, position and rule', () => {
  const file = path.join(path.dirname(gateway.dataFolder), 'bad.yaml');
  const postern = (...words: readonly string[]) => {
    const environment = {
      ...process.env,
      POSTERN_ADMIN_URL: gateway.adminUrl,
      POSTERN_ADMIN_TOKEN: gateway.adminToken,
    };
    const { status, stderr } = spawnSync(process.execPath, [BIN, ...words], { encoding: 'utf8', env: environment });
    expect(status).not.toBe(0);
    return stderr;
  };
  writeFileSync(file, 'id: bad\neffect: deny\nwhen: agent.trust > 1 && request.bdy == 1\n');
  expect(postern('rules', 'create', '-f', file)).toMatch(/bad\.yaml:3: when: .*\(at character 27\), in rule bad/);
  writeFileSync(
    file,
    'version: 1\nrules:\n  - id: bad\n    effect: rate_limit\n    limit:\n      requests: 1\n      perSeconds: 0\n',
  );
  expect(postern('apply', '-f', file)).toMatch(/bad\.yaml:7: rules\[0\]\.limit\.perSeconds: .*, in rule bad/);
});
