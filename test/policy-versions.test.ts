import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { startUpstream, temporaryFolder, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { auditEvents, control } from './support/audit-log.ts';
import { call } from './support/http-client.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';
import { readStoredPolicy, sha256 } from './support/stored-policy.ts';

const BIN = path.resolve(import.meta.dirname, '../apps/cli/bin/postern.js');
const coder = newAgent('coder');
const READS = { id: 'reads', effect: 'allow', methods: ['GET'] };
const WRITES = { id: 'writes', effect: 'allow', methods: ['POST'], when: '!("x-ö€" in request.headers)' };

let upstream: Upstream;
beforeAll(async () => {
  upstream = await startUpstream({ handler: (_request, response) => void response.end('ok') });
});
afterAll(() => upstream?.close());

const configWith = (rules: readonly object[]) => configOf([coder], [integration('api', upstream.url)], { rules });
const send = async (gateway: RunningGateway, method: string) =>
  (await call(gateway.dataUrl, '/to/api/x', { method, headers: { 'postern-key': coder.key } })).status;

/** The command line, as a person at the machine would use it. */
function postern(gateway: RunningGateway, args: readonly string[], input = '') {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('POSTERN_'));
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, 'policy', ...args], {
    env: { ...Object.fromEntries(own), POSTERN_DATA_DIR: gateway.dataFolder },
    cwd: gateway.dataFolder,
    encoding: 'utf8',
    input,
  });
  return { exitCode: status, out: stdout, notes: stderr };
}

describe('the life of a version', () => {
  let gateway: RunningGateway;
  beforeAll(async () => {
    gateway = await startGateway({ config: configWith([READS]) });
  });
  afterAll(() => gateway?.close());

  /** The active version is what the rules table says, to the byte, and its hash is of those bytes. */
  function expectWhole(number: number): string {
    const { versions, document } = readStoredPolicy(gateway.dataFolder);
    const active = versions.filter(({ status }) => status === 'active');
    expect(active).toEqual([{ number, status: 'active', document, content_hash: sha256(document) }]);
    return document;
  }

  test('draft, diff, activate, roll back: each call is judged by one of them, and the bytes come back', async () => {
    const first = expectWhole(1);
    const draft = { rules: [{ ...READS, methods: ['GET', 'HEAD'] }, WRITES], risk: { review: 0.8, deny: 0.9 } };
    const made = postern(gateway, ['draft', '-f', '-', '--note', 'let agents write'], JSON.stringify(draft));
    expect(made.out).toBe(
      `From version 1 to version 2:
~ risk: review 1 → 0.8; deny 1 → 0.9
~ reads: methods + HEAD
+ writes: allow; methods POST; when !("x-ö€" in request.headers)
Put it in force: postern policy activate 2
`,
    );
    expect(expectWhole(1)).toBe(first);
    expect(await send(gateway, 'POST')).toBe(403);
    expect(postern(gateway, ['diff', '2']).out).toBe(made.out.replace(/Put it in force.*\n/, ''));

    expect(postern(gateway, ['activate', '2'])).toMatchObject({ exitCode: 0, out: 'Version 2 is in force.\n' });
    const second = expectWhole(2);
    expect(second).not.toBe(first);
    expect(await send(gateway, 'POST')).toBe(200);

    expect(postern(gateway, ['rollback']).out).toBe('Version 1 is in force again.\n');
    expect(expectWhole(1)).toBe(first);
    expect(await send(gateway, 'POST')).toBe(403);
    expect(postern(gateway, ['rollback', '2']).out).toBe('Version 2 is in force again.\n');
    expect(expectWhole(2)).toBe(second);
    postern(gateway, ['rollback', '1']);

    const bytes = await control(gateway, 'GET', '/v1/policies/2/document');
    expect(bytes.text).toBe(second);
    const entries = await auditEvents(gateway, { type: 'policy.activated' });
    expect(entries.map(({ versions }) => `${versions?.from?.number ?? 'none'} → ${versions?.to.number}`)).toEqual([
      'none → 1',
      '1 → 2',
      '2 → 1',
      '1 → 2',
      '2 → 1',
    ]);
    expect(entries.map(({ versions }) => versions?.to.contentHash)).toEqual(
      [first, second, first, second, first].map(sha256),
    );
    const denied = await auditEvents(gateway, { type: 'denied' });
    expect(new Set(denied.map(({ policyVersion }) => policyVersion))).toEqual(new Set([entries[0]?.policyVersion]));
    const [sent] = await auditEvents(gateway, { type: 'intent' });
    expect(sent?.policyVersion).toBe(entries[1]?.policyVersion);
  });

  test('the list and one version are shown, for people and for scripts', async () => {
    const list = postern(gateway, ['list']);
    expect(list.out).toMatch(
      /^NUMBER +STATUS +MADE +BY +ACTIVATED +CONTENT +NOTE\n2 +superseded .* let agents write\n1 +active /,
    );
    const scripted = JSON.parse(postern(gateway, ['list', '--json']).out);
    expect(scripted.items.map(({ number }: { number: number }) => number)).toEqual([2, 1]);
    expect(postern(gateway, ['show']).out).toContain('number: 1\nstatus: active\n');
    expect(JSON.parse(postern(gateway, ['show', '2', '--json']).out)).toMatchObject({
      number: 2,
      note: 'let agents write',
      rules: [{ id: 'reads' }, { id: 'writes' }],
    });
    expect(postern(gateway, ['diff', '1', '--against', '2']).out).toContain('- writes: was allow; methods POST');
    expect(postern(gateway, ['diff', '1']).out).toBe('Version 1 decides as version 1 does.\n');
  });

  test('a draft that another change overtook is not activated unawares', async () => {
    const made = JSON.parse(postern(gateway, ['draft', '-f', '-', '--json'], '{"rules": []}').out);
    expect(made).toMatchObject({ status: 'draft', base: 1 });
    const rule = { id: 'meanwhile', effect: 'deny', paths: ['/x'] };
    expect((await control(gateway, 'POST', '/v1/rules', { body: rule })).status).toBe(201);
    const refused = postern(gateway, ['activate', String(made.number)]);
    expect(refused.exitCode).toBe(1);
    expect(refused.notes).toMatch(new RegExp(`Version ${made.number + 1} .* is active, and 1 was expected`));
    expectWhole(made.number + 1);
    const done = postern(gateway, ['activate', String(made.number), '--replacing', String(made.number + 1)]);
    expect(done.exitCode).toBe(0);
    expectWhole(made.number);
    expect(postern(gateway, ['rollback', '1']).exitCode).toBe(0);
  });

  test('a faulty draft is refused with file, line and field, and nothing is stored', async () => {
    const file = path.join(gateway.dataFolder, 'draft.yaml');
    await writeFile(file, 'rules:\n  - id: reads\n    effect: allow\n    when: agent.nme == "x"\n');
    const before = readStoredPolicy(gateway.dataFolder);
    const refused = postern(gateway, ['draft', '-f', 'draft.yaml']);
    expect(refused.exitCode).toBe(1);
    expect(refused.notes).toMatch(/draft\.yaml:4: rules\[0\]\.when: .*nme \(at character 6\)/);
    expect(readStoredPolicy(gateway.dataFolder)).toEqual(before);
    for (const [args, says] of [
      [['activate', '99'], /no such version/],
      [['rollback', 'nothing'], /no such version/],
      [['show', '0'], /no such version/],
    ] as const) {
      expect(postern(gateway, args)).toMatchObject({ exitCode: 1, notes: expect.stringMatching(says) });
    }
    expect(postern(gateway, ['activate']).exitCode).toBe(2);
    expect(postern(gateway, ['draft']).exitCode).toBe(2);
  });

  test('a rollback to rules that speak of an agent who is gone is refused with the words', async () => {
    const rules = [{ ...READS, agents: ['guest'] }];
    expect((await control(gateway, 'POST', '/v1/agents', { body: { name: 'guest' } })).status).toBe(201);
    const made = JSON.parse(postern(gateway, ['draft', '-f', '-', '--json'], JSON.stringify({ rules })).out);
    expect(postern(gateway, ['activate', String(made.number)]).exitCode).toBe(0);
    expect(postern(gateway, ['rollback', '1']).exitCode).toBe(0);
    expect((await control(gateway, 'DELETE', '/v1/agents/guest')).status).toBe(204);
    const refused = postern(gateway, ['rollback', String(made.number)]);
    expect(refused.exitCode).toBe(1);
    expect(refused.notes).toContain('rules[0].agents[0]: names an unknown agent');
    expectWhole(1);
  });
});

const RULES = 400;
const KILLS = 8;

/** Two policies in which every rule differs. */
const manyRules = (name: string) =>
  Array.from({ length: RULES }, (_, place) => ({ id: `r-${place}`, effect: 'allow', paths: [`/${name}/${place}`] }));

test('after a kill in the middle of activations one version is active, and the rules are its own', async () => {
  await using folder = await temporaryFolder();
  const dataFolder = path.join(folder.path, 'data');
  const { rules: _rules, ...config } = configOf([coder], [integration('api', upstream.url)]) as Record<string, unknown>;
  const seen = new Set<number>();
  for (let kill = 0; kill <= KILLS; kill += 1) {
    await using gateway = await startGateway({ config, dataFolder });
    if (kill > 0) seen.add(await expectOneActive(gateway));
    else {
      for (const name of ['a', 'b']) {
        expect((await control(gateway, 'POST', '/v1/policies', { body: { rules: manyRules(name) } })).status).toBe(201);
      }
    }
    if (kill === KILLS) break;
    const activating = activateForEver(gateway);
    await new Promise((resolve) => setTimeout(resolve, randomInt(20, 250)));
    expect((await gateway.kill('SIGKILL')).signal).toBe('SIGKILL');
    expect(await activating).toBeGreaterThanOrEqual(0);
  }
  expect(Math.max(...seen)).toBeGreaterThan(1);
});

/** The two drafts in turn, until the gateway is gone; answers how many activations were. */
async function activateForEver(gateway: RunningGateway): Promise<number> {
  const { adminToken: token } = gateway;
  for (let done = 0; ; done += 1) {
    const url = `/v1/policies/${2 + (done % 2)}/activate`;
    const answer = await control(gateway, 'POST', url, { token }).catch(() => undefined);
    if (answer === undefined) return done;
    expect(answer.status).toBe(200);
  }
}

/** Database, control plane and log name one version, whose bytes are those of the rules. */
async function expectOneActive(gateway: RunningGateway): Promise<number> {
  const { versions, document } = readStoredPolicy(gateway.dataFolder);
  const active = versions.filter(({ status }) => status === 'active');
  expect(active).toHaveLength(1);
  const [{ number = 0, content_hash: contentHash = '' } = {}] = active;
  expect(active[0]?.document).toBe(document);
  expect(contentHash).toBe(sha256(document));
  expect((await control(gateway, 'GET', '/v1/policies/active')).json()).toMatchObject({ number, contentHash });
  const last = (await auditEvents(gateway, { type: 'policy.activated' })).at(-1);
  expect(last?.versions?.to).toEqual({ number, contentHash });
  return number;
}
