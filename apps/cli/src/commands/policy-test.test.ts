import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { recordedContext } from '../context.test-support.ts';
import { run } from '../run.ts';

const root = mkdtempSync(path.join(tmpdir(), 'postern-policy-test-'));
afterAll(() => rmSync(root, { recursive: true }));

let folder: string;
let folders = 0;
beforeEach(() => {
  folders += 1;
  folder = path.join(root, String(folders));
  mkdirSync(folder);
});

function write(name: string, text: string): void {
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
}

async function policyTest(...words: string[]) {
  const context = recordedContext({ workingFolder: folder });
  const exitCode = await run(['policy', 'test', ...words], context);
  return { exitCode, out: context.written(), notes: context.noted() };
}

const SECTIONS = `
agents: [{ name: coder, roles: [developer], trust: medium }]
integrations:
  - name: pay
    baseUrl: https://pay.example.com/v1
    actions: [{ name: charges, methods: [POST], paths: ['/v1/charges'], risk: low }]
rules:
  - { id: small, effect: allow, actions: [charges], when: 'int(request.body.amount) <= 5000' }
  - { id: reads, effect: allow, methods: [GET] }
`;
const testOf = (amount: number, outcome: string) => `
  - name: pays ${amount}
    call: { agent: coder, integration: pay, method: POST, path: /charges, form: { amount: '${amount}' } }
    expect: { outcome: ${outcome} }
`;

describe('postern policy test', () => {
  test('runs the tests of files and folders, and ends with 0 when all pass', async () => {
    write('a.yaml', `${SECTIONS}\ntests:${testOf(5000, 'allow')}${testOf(5001, 'deny')}`);
    write('deep/er/b.yml', `${SECTIONS}\ntests:${testOf(1, 'allow')}`);
    write('postern.yaml', SECTIONS);
    write('node_modules/x/c.yaml', 'tests: [');
    write('.hidden/d.yaml', 'tests: [');
    write('notes.txt', 'tests');
    expect(await policyTest('.')).toEqual({
      exitCode: 0,
      out: '3 tests in 2 files: 3 passed, 0 failed.\n',
      notes: '',
    });
    expect((await policyTest('a.yaml', 'deep', 'a.yaml')).out).toBe('3 tests in 2 files: 3 passed, 0 failed.\n');
  });

  test('tells what failed with every rule in words, and ends with 1', async () => {
    write('a.yaml', `${SECTIONS}\ntests:${testOf(5000, 'allow')}${testOf(5001, 'allow')}`);
    const { exitCode, out, notes } = await policyTest('a.yaml');
    expect(exitCode).toBe(1);
    expect(out.split('\n')).toEqual([
      'FAILED pays 5001 (a.yaml:16)',
      '  outcome is "deny", not "allow"',
      '  Decided: deny, by no rule: no rule allows this call',
      '    not      reads: is for other methods',
      '    not      small: has a condition that is not met',
      '',
      '2 tests in 1 file: 1 passed, 1 failed.',
      '',
    ]);
    expect(notes).toBe('postern: 1 test failed.\n');
  });

  test('answers scripts in JSON, with the same exit code', async () => {
    write('a.yaml', `${SECTIONS}\ntests:${testOf(5001, 'allow')}`);
    write('b.yaml', 'tests: []');
    const { exitCode, out } = await policyTest('.', '--json');
    expect(exitCode).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      passed: 0,
      failed: 1,
      files: [
        {
          file: 'a.yaml',
          passed: 0,
          failed: 1,
          results: [{ line: 12, name: 'pays 5001', isPassed: false, decision: { outcome: 'deny', rule: null } }],
        },
        { file: 'b.yaml', faults: ['b.yaml:1: tests: must have at least 1 item'] },
      ],
    });
  });

  test('runs the tests of one file on the rules of another', async () => {
    write('postern.yaml', `version: 1\nsecrets: { s: { from: env:S } }${SECTIONS}`);
    write('tests/pay.yaml', `policy: ../postern.yaml\ntests:${testOf(5, 'allow')}`);
    write('tests/other.yaml', `policy: ../postern.yaml\nagents: [{ name: guest }]\ntests:${testOf(5, 'deny')}`);
    const { exitCode, out } = await policyTest('tests');
    expect(exitCode).toBe(1);
    expect(out).toContain('call.agent must name one of the bundle');
    expect(out).toContain('2 tests in 2 files: 1 passed, 1 failed.');
  });

  test('takes actions from a built-in template, and from one of the file', async () => {
    write(
      'a.yaml',
      `
agents: [{ name: coder }]
templates:
  - name: own
    version: 1
    provider: own
    title: Own
    sources: ['https://example.com/docs']
    baseUrl: https://api.example.com
    credential: { type: bearer }
    actions: [{ name: things.read, methods: [GET], paths: ['/things'], risk: low }]
integrations:
  - { name: gh, baseUrl: 'https://api.github.com', template: github@1 }
  - { name: own, baseUrl: 'https://api.example.com', template: own@1 }
rules:
  - { id: issues, effect: allow, integrations: [gh], actions: [issues.read] }
  - { id: things, effect: allow, integrations: [own], actions: [things.read] }
tests:
  - name: issues
    call: { agent: coder, integration: gh, path: /repos/acme/site/issues }
    expect: { outcome: allow, rule: issues }
  - name: things
    call: { agent: coder, integration: own, path: /things }
    expect: { outcome: allow, rule: things }
`,
    );
    expect(await policyTest('a.yaml')).toMatchObject({ exitCode: 0 });
    write('b.yaml', 'integrations: [{ name: x, baseUrl: https://x, template: nobody@3 }]\ntests:' + testOf(1, 'deny'));
    expect((await policyTest('b.yaml')).out).toContain('b.yaml:1: integrations[0].template: names no template');
  });

  test.each([
    [
      'an unknown field of a test',
      `${SECTIONS}\ntests:\n  - { nme: x }`,
      'a.yaml:12: tests[0].nme: is not a known field; did you mean "name"?',
    ],
    [
      'an unknown section',
      `rulez: []\ntests:${testOf(1, 'deny')}`,
      'a.yaml:1: rulez: is not a known field; did you mean "rules"?',
    ],
    [
      'an unknown field of a rule',
      `rules: [{ id: x, effect: allow, path: [/x] }]\ntests:${testOf(1, 'deny')}`,
      'a.yaml:1: rules[0].path: is not a known field',
    ],
    [
      'a condition that is none',
      `\nrules:\n  - { id: x, effect: allow, when: '1 +' }\ntests:${testOf(1, 'deny')}`,
      /a\.yaml:3: rules\[0\]\.when: .*\(at character 3\)/,
    ],
    [
      'a rule that names nobody',
      `agents: [{ name: a }]\nrules:\n  - { id: x, effect: allow, agents: [b] }\ntests:${testOf(1, 'deny')}`,
      'a.yaml:3: rules[0].agents[0]',
    ],
    [
      'a form with a number',
      `${SECTIONS}\ntests: [{ name: x, call: { agent: coder, integration: pay, path: /, form: { a: 1 } }, expect: { outcome: deny } }]`,
      'tests[0].call.form.a',
    ],
    ['no YAML', 'tests: [', 'a.yaml:'],
    [
      'a policy beside rules',
      `policy: b.yaml\nrules: []\ntests:${testOf(1, 'deny')}`,
      'a.yaml:2: rules: must not be given beside policy',
    ],
    [
      'a policy that is not there',
      `policy: b.yaml\ntests:${testOf(1, 'deny')}`,
      'a.yaml:1: policy: b.yaml cannot be read (ENOENT)',
    ],
  ])('refuses %s, with its line', async (_what, text, message) => {
    write('a.yaml', text);
    const { exitCode, out, notes } = await policyTest('a.yaml');
    expect(exitCode).toBe(1);
    expect(out).toMatch(
      typeof message === 'string' ? new RegExp(message.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')) : message,
    );
    expect(notes).toBe('postern: 1 file could not be run.\n');
  });

  test('tells a fault of the other file with its own line', async () => {
    write('postern.yaml', "version: 1\nrules:\n  - { id: x, effect: allow, when: 'nothing' }\n");
    write('a.yaml', `policy: postern.yaml${SECTIONS.slice(0, SECTIONS.indexOf('rules'))}\ntests:${testOf(1, 'deny')}`);
    expect((await policyTest('a.yaml')).out).toContain('postern.yaml:3: rules[0].when: ');
  });

  test.each([
    ['a path that is not there', ['nowhere'], 'nowhere: there is no such file or folder'],
    ['a folder without tests', ['empty'], 'empty: no file with tests is there'],
    ['a file without tests', ['plain.yaml'], 'plain.yaml has no tests'],
    ['no path', [], "missing required argument 'file-or-folder'"],
  ])('is misused with %s', async (_what, words, message) => {
    write('empty/readme.md', '');
    write('plain.yaml', 'rules: []');
    const { exitCode, out, notes } = await policyTest(...words);
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' });
    expect(notes).toContain(message);
  });
});
