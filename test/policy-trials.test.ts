import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { startUpstream, type TemporaryFolder, temporaryFolder, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { auditEvents, control, eventualAuditEvents } from './support/audit-log.ts';
import { call } from './support/http-client.ts';
import { integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const BIN = path.resolve(import.meta.dirname, '../apps/cli/bin/postern.js');
const coder = newAgent('coder');
let upstream: Upstream;
let gateway: RunningGateway;
let folder: TemporaryFolder;
/** Of the agent of the tenant acme. */
let acmeKey: string;

const RULES = [
  { id: 'reads', effect: 'allow', integrations: ['api'], methods: ['GET'] },
  { id: 'orders', effect: 'allow', integrations: ['api'], methods: ['POST'], paths: ['/orders'] },
  { id: 'old', effect: 'allow', integrations: ['gone'] },
];
/** Secrets are closed, comments opened; orders hang on their body. */
const DRAFT = [
  { id: 'reads', effect: 'allow', integrations: ['api'], methods: ['GET'], agents: ['role:developer'] },
  { id: 'small', effect: 'allow', integrations: ['api'], methods: ['POST'], when: 'request.body.amount <= 100' },
  { id: 'no-secrets', effect: 'deny', integrations: ['api'], paths: ['/secrets/**'] },
  { id: 'comments', effect: 'allow', integrations: ['api'], methods: ['OPTIONS'], paths: ['/comments/*'] },
];

beforeAll(async () => {
  upstream = await startUpstream();
  upstream.answerWith((_request, response) => void response.end('ok'));
  folder = await temporaryFolder();
  gateway = await startGateway({
    config: {
      version: 1,
      integrations: [integration('api', upstream.url), integration('gone', upstream.url)],
      agents: [{ name: coder.name, key: coder.key, roles: ['developer'] }],
      rules: RULES,
    },
  });
  await prepareAcme();
  await recordTraffic();
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
  await folder?.remove();
});

async function prepareAcme(): Promise<void> {
  await control(gateway, 'POST', '/v1/tenants', { body: { name: 'acme' } });
  const document = {
    version: 1,
    tenant: 'acme',
    integrations: [integration('api', upstream.url)],
    agents: [{ name: 'roadrunner' }],
    rules: [RULES[0]],
  };
  await control(gateway, 'POST', '/v1/apply', { body: document, tenant: 'acme' });
  acmeKey = (await control(gateway, 'POST', '/v1/agents/roadrunner/keys', { body: {}, tenant: 'acme' })).json().key;
}

const to = (target: string, method: string, key = coder.key, body?: object) =>
  call(gateway.dataUrl, `/to/${target}`, {
    method,
    headers: { 'postern-key': key, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

/** Ten calls of coder's: seven allowed, two denied, one to nowhere; and one of acme's. */
async function recordTraffic(): Promise<void> {
  for (const target of ['items', 'items/1?deep=1', 'secrets/1', 'secrets/2?deep=1']) await to(`api/${target}`, 'GET');
  for (const amount of [5, 5_000]) await to('api/orders', 'POST', coder.key, { amount });
  await to('api/comments/1', 'OPTIONS');
  await to('api/things/1', 'OPTIONS');
  await to('gone/x', 'GET');
  await to('nowhere/x', 'GET');
  await to('api/secrets/acme', 'GET', acmeKey);
  await eventualAuditEvents(gateway, { type: 'denied' }, 3);
  await eventualAuditEvents(gateway, { type: 'outcome' }, 7);
  await control(gateway, 'DELETE', '/v1/integrations/gone');
}

const simulate = (body: object, options: { readonly query?: string; readonly tenant?: string } = {}) => {
  const { query = 'since=1h', ...more } = options;
  return control(gateway, 'POST', `/v1/policies/simulate?${query}`, { body, ...more });
};
interface Told {
  readonly method: string;
  readonly url: string;
}
const paths = (calls: readonly Told[]) => calls.map(({ method, url }) => `${method} ${new URL(url).pathname}`).sort();

describe('a draft on recorded traffic', () => {
  test('changes exactly these outcomes, by rule, with what cannot be told and what cannot be tried apart', async () => {
    const [entries, sent] = [await auditEvents(gateway), upstream.requests.length];
    const answer = await simulate({ rules: DRAFT });
    expect(answer.status).toBe(200);
    const told = answer.json();
    expect(told).toMatchObject({ calls: 8, unchanged: 3, truncated: false, warnings: [] });
    expect(paths(told.changed)).toEqual(['GET /secrets/1', 'GET /secrets/2', 'OPTIONS /comments/1']);
    expect(told.byRule).toEqual([
      { rule: 'no-secrets', before: 'allow', after: 'deny', calls: 2 },
      { rule: 'comments', before: 'deny', after: 'allow', calls: 1 },
    ]);
    expect(paths(told.undetermined)).toEqual(['POST /orders', 'POST /orders']);
    for (const { before, after, rules } of told.undetermined) {
      // What was decided is in the log; what the draft would say is not.
      expect({ before, after }).toEqual({ before: ['allow'], after: ['deny', 'allow'] });
      expect(rules).toContainEqual({
        policy: 'draft',
        rule: 'small',
        message: 'reads request.body, not kept of this call',
      });
    }
    expect(told.notRecorded.map(({ reason }: { reason: string }) => reason)).toEqual([
      'was refused before policy was asked (unknown_integration)',
      'integration gone is there no more',
    ]);
    expect(upstream.requests.length).toBe(sent);
    expect(await auditEvents(gateway)).toEqual(entries);
  });

  test('that is the policy in force changes nothing', async () => {
    const told = (await simulate({ rules: RULES })).json();
    expect(told).toMatchObject({ calls: 8, unchanged: 8, changed: [], undetermined: [] });
    expect(told.policies.draft).toBe(told.policies.current);
    const [decision] = await auditEvents(gateway, { type: 'intent' });
    expect(decision?.policyVersion).toMatch(/^[0-9a-f]{64}$/);
  });

  test('sees no call of another tenant', async () => {
    const answer = await simulate({ rules: [] }, { tenant: 'acme' });
    expect(answer.json()).toMatchObject({ calls: 1, changed: [{ agent: 'roadrunner' }] });
    expect((await simulate({ rules: DRAFT })).text).not.toContain('roadrunner');
  });

  test('that is stored is simulated by its id, by nobody else', async () => {
    const draft = (await control(gateway, 'POST', '/v1/policies', { body: { rules: DRAFT } })).json();
    const own = await control(gateway, 'POST', `/v1/policies/${draft.id}/simulate?since=1h`);
    expect(own.json()).toMatchObject({ calls: 8, unchanged: 3 });
    const foreign = await control(gateway, 'POST', `/v1/policies/${draft.id}/simulate`, { tenant: 'acme' });
    expect(foreign.problem()).toMatchObject({ status: 404, code: 'not_found' });
  });
});

/** One command with the gateway's data folder, in a folder of its own. */
function postern(words: readonly string[], input = '') {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('POSTERN_'));
  const ended = spawnSync(process.execPath, [BIN, ...words], {
    cwd: folder.path,
    env: { ...Object.fromEntries(own), POSTERN_DATA_DIR: gateway.dataFolder },
    encoding: 'utf8',
    input,
  });
  return { exitCode: ended.status, out: ended.stdout, notes: ended.stderr };
}

function write(name: string, document: object | string): void {
  const file = path.join(folder.path, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, typeof document === 'string' ? document : JSON.stringify(document, undefined, 2));
}

describe('postern policy simulate', () => {
  test('prints what would change, in words and call by call', () => {
    write('draft.yaml', { rules: DRAFT });
    const { exitCode, out, notes } = postern(['policy', 'simulate', 'draft.yaml', '--since', '24h']);
    expect({ exitCode, notes }).toEqual({ exitCode: 0, notes: '' });
    expect(out).toMatch(/^8 recorded calls between .*: 3 unchanged, 3 changed, 2 undetermined\.\n/);
    expect(out).toContain('  2 calls that are allowed now would be denied, by rule no-secrets\n');
    expect(out).toContain('  1 call that is denied now would be allowed, by rule comments\n');
    expect(out).toContain('  2 calls: rule small reads request.body, not kept of this call\n');
    expect(out).toContain('2 more calls cannot be tried again:\n');
    expect(out).not.toContain('roadrunner');
  });

  test('takes a whole postern.yaml, of its tenant, and says what it leaves as it is', () => {
    write('postern.yaml', { version: 1, tenant: 'acme', agents: [], rules: [] });
    const { exitCode, out, notes } = postern(['policy', 'simulate', 'postern.yaml', '--json']);
    expect(exitCode).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ calls: 1, changed: [{ agent: 'roadrunner' }] });
    expect(notes).toBe('postern.yaml: agents stay as they are in force; the rest is simulated.\n');
    expect(postern(['policy', 'simulate', 'postern.yaml', '--tenant', 'default'])).toMatchObject({ exitCode: 2 });
  });

  test('ends with 1 where it is asked to and something would change', () => {
    write('draft.yaml', { rules: DRAFT });
    write('same.yaml', { rules: RULES });
    expect(postern(['policy', 'simulate', 'draft.yaml', '--fail-on-change']).exitCode).toBe(1);
    expect(postern(['policy', 'simulate', 'same.yaml', '--fail-on-change']).exitCode).toBe(0);
    expect(postern(['policy', 'simulate', '-', '--fail-on-change'], JSON.stringify({ rules: DRAFT })).exitCode).toBe(1);
  });

  test('goes window by window as far as it is told', () => {
    write('none.yaml', 'rules: []');
    const { out, notes } = postern(['policy', 'simulate', 'none.yaml', '--calls', '4', '--json']);
    const told = JSON.parse(out);
    expect(told.calls + told.notRecorded.length).toBe(4);
    expect(told.truncated).toBe(true);
    expect(notes).toMatch(/^Looked at 4 calls, back to /);
  });

  test('tells the fault of a draft with its line', () => {
    write('bad.yaml', 'rules:\n  - id: x\n    effect: allow\n    when: 1 +\n');
    const { exitCode, notes } = postern(['policy', 'simulate', 'bad.yaml']);
    expect(exitCode).toBe(1);
    expect(notes).toMatch(/ {2}bad\.yaml:4: rules\[0\]\.when: .*\(at character 3\)/);
    write('bad.yaml', 'rulez: []\n');
    expect(postern(['policy', 'simulate', 'bad.yaml']).notes).toContain('bad.yaml:1: rulez: is not a known field');
  });

  test.each([
    [['policy', 'simulate'], 'give a draft, or --id'],
    [['policy', 'simulate', 'draft.yaml', '--id', '1'], 'give a draft, or --id'],
    [['policy', 'simulate', 'draft.yaml', '--since', 'ever'], '--since: "ever" is not a duration'],
    [['policy', 'simulate', 'draft.yaml', '--since', '1h', '--from', '2h'], 'give --since or --from'],
    [['policy', 'simulate', 'draft.yaml', '--calls', 'all'], '--calls: "all" is not a number'],
  ])('is misused as %j', (words, message) => {
    write('draft.yaml', { rules: DRAFT });
    const { exitCode, notes } = postern(words);
    expect(exitCode).toBe(2);
    expect(notes).toContain(message);
  });
});

describe('postern policy test', () => {
  const sections = {
    agents: [{ name: 'coder', roles: ['developer'] }],
    integrations: [{ name: 'api', baseUrl: 'https://api.example.com' }],
    rules: DRAFT,
  };
  const testOf = (name: string, request: object, outcome: string) => {
    return { name, call: { agent: 'coder', integration: 'api', ...request }, expect: { outcome } };
  };

  test('passes and fails by folder, without a gateway', () => {
    write('good/reads.yaml', { ...sections, tests: [testOf('reads', { path: '/items' }, 'allow')] });
    write('good/deep/secrets.yaml', { ...sections, tests: [testOf('secrets', { path: '/secrets/1' }, 'deny')] });
    write('bad/orders.yaml', {
      ...sections,
      tests: [testOf('large', { method: 'POST', path: '/orders', body: { amount: 101 } }, 'allow')],
    });
    mkdirSync(path.join(folder.path, 'empty'), { recursive: true });
    expect(postern(['policy', 'test', 'good'])).toMatchObject({
      exitCode: 0,
      out: '2 tests in 2 files: 2 passed, 0 failed.\n',
    });
    const failed = postern(['policy', 'test', 'good', 'bad']);
    expect(failed.exitCode).toBe(1);
    expect(failed.out).toContain('FAILED large (bad/orders.yaml:');
    expect(failed.out).toContain('small: has a condition that is not met');
    expect(failed.out).toContain('3 tests in 3 files: 2 passed, 1 failed.');
    expect(postern(['policy', 'test', 'empty']).exitCode).toBe(2);
  });

  test('passes on the examples', () => {
    const examples = path.resolve(import.meta.dirname, '../examples/policies');
    expect(postern(['policy', 'test', examples])).toMatchObject({ exitCode: 0, notes: '' });
  });

  test('says the same as the API', async () => {
    const tests = [testOf('reads', { path: '/items' }, 'allow'), testOf('secrets', { path: '/secrets/1' }, 'allow')];
    write('both.yaml', { ...sections, tests });
    const cli = JSON.parse(postern(['policy', 'test', 'both.yaml', '--json']).out);
    const api = (await control(gateway, 'POST', '/v1/policies/test', { body: { ...sections, tests } })).json();
    const shown = ({ results }: { results: { name: string; isPassed: boolean; problems: string[] }[] }) =>
      results.map(({ name, isPassed, problems }) => ({ name, isPassed, problems }));
    expect(shown(cli.files[0])).toEqual(shown(api));
    expect(api).toMatchObject({ passed: 1, failed: 1 });
  });
});

test('explain names the version of the policy that entries name', async () => {
  const answer = await call(gateway.dataUrl, '/v1/explain', {
    headers: { 'postern-key': coder.key, 'content-type': 'application/json' },
    body: JSON.stringify({ integration: 'api', request: { method: 'GET', path: '/items' } }),
  });
  const { policyVersion } = answer.json();
  await to('api/items', 'GET');
  const [intent] = (await auditEvents(gateway, { type: 'intent', agent: 'coder' })).slice(-1);
  expect(intent?.policyVersion).toBe(policyVersion);
  expect((await simulate({ rules: [] })).json().policies.current).toBe(policyVersion);
});
