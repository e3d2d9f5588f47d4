import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const BIN = path.resolve(import.meta.dirname, '../apps/cli/bin/postern.js');

interface Gateway {
  readonly folder: string;
  readonly dataUrl: string;
  readonly adminUrl: string;
  readonly process: ChildProcess;
  readonly ended: Promise<number | null>;
}

/** Makes the process that gets it take itself for an old Node. */
const AS_OLD_NODE = `data:text/javascript,${encodeURIComponent(
  "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.0' } })",
)}`;

/** `postern start` in a folder of its own, on free ports; resolves with the ready line. */
function startGateway(nodeOptions: readonly string[] = []): Promise<Gateway> {
  const folder = mkdtempSync(path.join(tmpdir(), 'postern-cli-'));
  const child = spawn(process.execPath, [...nodeOptions, BIN, 'start'], {
    cwd: folder,
    env: environmentOf({
      POSTERN_LISTEN: '127.0.0.1:0',
      POSTERN_ADMIN_LISTEN: '127.0.0.1:0',
      POSTERN_LOG_LEVEL: 'error',
    }),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => child.on('exit', (code) => resolve(code)));
  return new Promise((resolve, reject) => {
    let out = '';
    let errors = '';
    child.stderr.on('data', (text) => {
      errors += text;
    });
    child.stdout.on('data', (text) => {
      out += text;
      const [, dataUrl, adminUrl] = /^postern ready data=(\S+) admin=(\S+)$/m.exec(out) ?? [];
      if (dataUrl && adminUrl) resolve({ folder, dataUrl, adminUrl, process: child, ended });
    });
    void ended.then((code) => reject(new Error(`the gateway ended with ${code}: ${errors}`)));
  });
}

/** The variables of this process without those that are Postern's, and the given ones. */
function environmentOf(given: Record<string, string> = {}): Record<string, string> {
  const own = Object.entries(process.env).filter((pair): pair is [string, string] => {
    return pair[1] !== undefined && !pair[0].startsWith('POSTERN_');
  });
  return { ...Object.fromEntries(own), ...given };
}

let gateway: Gateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(async () => {
  gateway.process.kill('SIGTERM');
  await gateway.ended;
  rmSync(gateway.folder, { recursive: true });
});

interface Given {
  readonly input?: string;
  readonly environment?: Record<string, string>;
}

/** One command, in the folder where the gateway was started, as a person would give it. */
function postern(words: string | readonly string[], { input = '', environment }: Given = {}) {
  const args = typeof words === 'string' ? words.split(' ') : words;
  const ended = spawnSync(process.execPath, [BIN, ...args], {
    cwd: gateway.folder,
    env: environmentOf(environment),
    encoding: 'utf8',
    input,
  });
  return { exitCode: ended.status, out: ended.stdout, notes: ended.stderr };
}

/** The answer of a command that must succeed, as scripts get it. */
function asked<T>(words: string, given: Given = {}): T {
  const { exitCode, out, notes } = postern(`${words} --json`, given);
  expect({ exitCode, notes }).toEqual({ exitCode: 0, notes: '' });
  return JSON.parse(out) as T;
}

/** Commands that must succeed, one after the other. */
function done(...commands: readonly string[]): void {
  for (const words of commands) expect(postern(words)).toMatchObject({ exitCode: 0 });
}

function write(name: string, text: string): void {
  writeFileSync(path.join(gateway.folder, name), text);
}

describe('agents and their keys', () => {
  test('an agent is created, changed, disabled and removed by name', () => {
    done('agents create life --owner alice --role developer --role reviewer --trust medium --environment dev');
    expect(asked('agents show life')).toMatchObject({
      ...{ name: 'life', owner: 'alice', roles: ['developer', 'reviewer'] },
      ...{ trust: 'medium', environment: 'dev', disabled: false },
    });
    done('agents update life --trust high --no-environment', 'agents disable life');
    const changed = asked<object>('agents show life');
    expect(changed).toMatchObject({ owner: 'alice', trust: 'high', disabled: true });
    expect(changed).not.toHaveProperty('environment');
    done('agents enable life', 'agents delete life');
    const { exitCode, notes } = postern('agents show life');
    expect(exitCode).toBe(1);
    expect(notes).toMatch(/^postern: Not found: There is no such agent\.\n {2}Request id: \S+\n$/);
  });

  test('a key is shown once, works at once, and is worthless once it is revoked', async () => {
    done('agents create keyed --owner alice');
    const { key, id } = asked<{ key: string; id: string }>('agents keys issue keyed --expires-in 30d');
    expect(key).toMatch(/^pst_[a-z0-9]{10}_[0-9A-Za-z]{49}$/);
    expect(asked('whoami', { environment: { POSTERN_KEY: key } })).toMatchObject({ agent: 'keyed', key: { id } });
    const { out } = postern('agents keys list keyed');
    expect(out).toContain(`${id}  valid`);
    expect(out).not.toContain(key.slice(15));
    done(`agents keys revoke keyed ${id}`);
    expect(postern('agents keys list keyed').out).toContain(`${id}  revoked`);
    await expect
      .poll(() => postern('whoami', { environment: { POSTERN_KEY: key } }).exitCode, { timeout: 5_000 })
      .toBe(1);
  });

  test('a key alone is on standard output, for a shell to catch', () => {
    done('agents create caught --owner alice');
    const { out, notes } = postern('agents keys issue caught --scope explain');
    expect(out).toMatch(/^pst_\S+\n$/);
    expect(notes).toContain('shown this once');
  });

  test('what an agent is called cannot move the cursor', () => {
    const name = postern(['agents', 'create', 'odd', '--owner', 'a\u001b[2J\u202eb']);
    expect(name.exitCode).toBe(0);
    for (const words of ['agents list', 'agents show odd', 'agents show odd --json', 'agents list --json']) {
      expect(postern(words).out).not.toMatch(/[\u001b\u202e]/);
    }
    expect(postern('agents list').out).toContain('a\\u{1b}[2J\\u{202e}b');
    expect(asked('agents show odd')).toMatchObject({ owner: 'a\u001b[2J\u202eb' });
  });
});

describe('secrets', () => {
  const value = 'correct-horse-battery';

  test('are set from standard input, the environment or a file, and never shown', () => {
    write('value.txt', `${value}-3\n`);
    expect(postern('secrets set token', { input: `${value}-1\n` }).exitCode).toBe(0);
    const environment = { TOKEN: `${value}-2` };
    expect(postern('secrets set token --from-env TOKEN --environment dev', { environment }).exitCode).toBe(0);
    done('secrets set token --from-file value.txt');
    expect(asked('secrets show token')).toMatchObject({ name: 'token', activeVersion: 3, environments: ['dev'] });
    done('secrets activate token 1');
    expect(postern('secrets versions token').out).toMatch(/3 +no .*\n2 +no .*\n1 +yes /);
    for (const words of ['secrets list', 'secrets show token --json', 'export', 'audit list --all --json']) {
      const { exitCode, out } = postern(words);
      expect(exitCode).toBe(0);
      expect(out).not.toContain(value);
    }
  });

  test('are not read from what belongs to the gateway', () => {
    for (const source of ['--from-file .postern/admin-token', '--from-env POSTERN_ADMIN_TOKEN']) {
      const { exitCode, notes } = postern(`secrets set stolen ${source}`, {
        environment: { POSTERN_ADMIN_TOKEN: 'x' },
      });
      expect(exitCode).toBe(1);
      expect(notes).toContain('must not name');
    }
    expect(postern('secrets show stolen').exitCode).toBe(1);
  });
});

describe('integrations and rules', () => {
  test('an integration is created from options, changed, replaced by a file, and removed', () => {
    done(
      'integrations create built --base-url https://api.example.com/v1 --credential header --secret token --credential-name X-Token',
      'integrations update built --environment dev',
    );
    expect(asked('integrations show built')).toMatchObject({
      baseUrl: 'https://api.example.com/v1',
      credential: { type: 'header', secret: 'token', name: 'X-Token' },
      environments: ['dev'],
    });
    write(
      'built.yaml',
      'baseUrl: https://api.example.com/v2\nactions:\n  - { name: read, methods: [GET], paths: [/v2/**] }\n',
    );
    done('integrations update built -f built.yaml');
    const replaced = asked<object>('integrations show built');
    expect(replaced).toMatchObject({ credential: { type: 'none' }, actions: [{ name: 'read' }] });
    expect(replaced).not.toHaveProperty('environments');
    done('integrations delete built');
    expect(postern('integrations show built').exitCode).toBe(1);
  });

  test('a file that is refused is refused with its lines', () => {
    write('bad.yaml', 'baseUrl: https://api.example.com\ntimeouts:\n  connectMs: 0\n');
    const { exitCode, notes } = postern('integrations create bad -f bad.yaml');
    expect(exitCode).toBe(1);
    expect(notes).toMatch(/\n {2}bad\.yaml:3: timeouts\.connectMs: /);
  });

  test('what "show" prints is what a file for "update" may hold', () => {
    done('integrations create again --base-url https://api.example.com');
    write('again.yaml', postern('integrations show again').out);
    done('integrations update again -f again.yaml', 'integrations delete again');
  });

  test('a rule is created from options or a file, and disabled', () => {
    write('rule.json', '{"effect": "deny", "hard": true, "paths": ["/admin/**"]}');
    done(
      'rules create no-admin -f rule.json',
      'rules create everyone --effect allow --agent role:developer --method GET',
    );
    expect(asked('rules show no-admin')).toMatchObject({ id: 'no-admin', effect: 'deny', hard: true, disabled: false });
    expect(asked('rules show everyone')).toMatchObject({ agents: ['role:developer'], methods: ['GET'] });
    done('rules disable everyone', 'rules disable no-admin');
    expect(postern('rules list').out).toMatch(/no-admin +hard deny .* disabled\n/);
  });
});

const DOCUMENT = `version: 1
secrets:
  files-token: { from: file:files-token.txt }
integrations:
  - name: files
    baseUrl: https://files.example.com
    credential: { type: bearer, secret: files-token }
agents:
  - { name: reader, owner: alice, key: { from: env:READER_KEY } }
rules:
  - { id: reads, effect: allow, agents: [reader], integrations: [files], methods: [GET] }
`;

describe('configuration as code', () => {
  test('is tried, applied, found unchanged, explained, and written back', async () => {
    write('files-token.txt', 'the-token-of-files\n');
    write('postern-files.yaml', DOCUMENT);
    const { key } = asked<{ key: string }>('keys generate');
    const environment = { READER_KEY: key, POSTERN_KEY: key };

    const tried = postern('apply -f postern-files.yaml --dry-run', { environment });
    expect(tried).toMatchObject({ exitCode: 0, notes: '' });
    expect(tried.out).toContain('+ integration files\n');
    expect(tried.out).toContain('this was a dry run');
    expect(postern('agents show reader').exitCode).toBe(1);

    const applied = postern('apply -f postern-files.yaml', { environment });
    expect(applied).toMatchObject({ exitCode: 0, notes: '' });
    expect(applied.out).not.toContain('the-token-of-files');
    expect(applied.out).not.toContain(key);
    expect(asked('apply -f postern-files.yaml', { environment })).toMatchObject({ changes: [] });

    const allowed = postern('explain files GET /a/b', { environment });
    expect(allowed.out).toContain('Allowed, by rule reads');
    expect(allowed.out).toContain('secret files-token (bearer)');
    expect(asked('explain files post /a --body {}', { environment })).toMatchObject({ decision: 'deny', rule: null });

    done('export -o exported.yaml');
    const exported = readFileSync(path.join(gateway.folder, 'exported.yaml'), 'utf8');
    expect(exported).toContain('name: reader');
    expect(exported).not.toContain('the-token-of-files');
    expect(postern('apply -f exported.yaml --dry-run').out).toBe('Nothing to change.\n');
    expect(asked('export')).toMatchObject({ version: 1, tenant: 'default' });
  });

  test('is refused with the lines of the file', () => {
    write(
      'wrong.yaml',
      `version: 1\nagents:\n  - name: reader\n    trust: hihg\nrules:\n  - { id: r, effect: permit }\n`,
    );
    const { exitCode, out, notes } = postern('apply -f wrong.yaml');
    expect({ exitCode, out }).toEqual({ exitCode: 1, out: '' });
    expect(notes).toMatch(
      /\n {2}wrong\.yaml:4: agents\[0\]\.trust: .*\n {2}wrong\.yaml:6: rules\[0\]\.effect: .*\n {2}Request id: /,
    );
  });

  test('warns of a secret that stands in clear', () => {
    write('clear.yaml', 'version: 1\nsecrets:\n  clear-token:\n    value: standing-in-clear\n');
    const { exitCode, notes } = postern('apply -f clear.yaml --dry-run');
    expect(exitCode).toBe(0);
    expect(notes).toMatch(/^clear\.yaml:3: secrets\.clear-token: a secret stands in clear/);
    expect(notes).not.toContain('standing-in-clear');
  });

  test('never sends what belongs to the gateway', () => {
    write(
      'thief.yaml',
      'version: 1\nsecrets:\n  a: { from: file:.postern/master-key }\n  b: { from: env:POSTERN_ADMIN_TOKEN }\n',
    );
    const { exitCode, notes } = postern('apply -f thief.yaml');
    expect(exitCode).toBe(1);
    expect(notes).toContain('thief.yaml:3: secrets.a.from: must not name a file inside');
    expect(notes).toContain('thief.yaml:4: secrets.b.from: must not name a variable that begins with POSTERN_');
    expect(postern('secrets show a').exitCode).toBe(1);
  });
});

describe('the audit log', () => {
  test('is searched with filters, page after page, and shown entry by entry', () => {
    done('agents create audited --owner alice', 'agents delete audited');
    const { items } = asked<{ items: { id: string; subject: string }[] }>(
      'audit list --type admin.created --from 1h --limit 100',
    );
    const created = items.find(({ subject }) => subject === 'agent:audited');
    expect(asked(`audit show ${created?.id}`)).toMatchObject({ type: 'admin.created', subject: 'agent:audited' });
    expect(postern('audit list --limit 1').notes).toMatch(/^There are more: --all, or --cursor \S+\n$/);

    type Page = { items: { seq: number }[]; nextCursor: string };
    const first = asked<Page>('audit list --limit 2');
    const second = asked<Page>(`audit list --limit 2 --cursor ${first.nextCursor}`);
    const [newest = 0] = first.items.map(({ seq }) => seq);
    expect([...first.items, ...second.items].map(({ seq }) => seq)).toEqual([
      newest,
      newest - 1,
      newest - 2,
      newest - 3,
    ]);
    // All pages reach back to the first entry of all.
    expect(asked<Page>('audit list --all').items.map(({ seq }) => seq)).toEqual(
      Array.from({ length: newest + 1 }, (_, index) => newest - index),
    );
  });
});

describe('administrators and tenants', () => {
  test('an auditor reads what an auditor may, until it is revoked', async () => {
    const { token } = asked<{ token: string }>('admins create ada --role auditor --group audit --expires-in 1d');
    const environment = { POSTERN_ADMIN_URL: gateway.adminUrl, POSTERN_ADMIN_TOKEN: token };
    expect(asked('whoami', { environment })).toMatchObject({ administrator: true, tenant: 'default' });
    expect(postern('agents list', { environment }).exitCode).toBe(0);
    const refused = postern('agents create intruder', { environment });
    expect(refused.exitCode).toBe(1);
    expect(refused.notes).toContain('The role auditor does not permit this.');
    expect(postern('admins list').out).toMatch(/ada +auditor +default +audit /);
    done('admins revoke ada');
    expect(postern('agents list', { environment }).notes).toContain('admin token is not valid');
  });

  test('tenants do not see each other', () => {
    done('tenants create acme', '--tenant acme agents create theirs --owner bob', 'agents create ours --owner bob');
    expect(postern('--tenant acme agents list').out).not.toContain('ours');
    expect(postern('agents show theirs').exitCode).toBe(1);
    expect(postern('tenants list').out).toMatch(/acme .*\ndefault /);
  });
});

describe('the doctor', () => {
  test('finds nothing broken in a fresh tenant, and what is broken with its remedy', () => {
    done('tenants create clinic');
    const sound = postern('--tenant clinic doctor');
    expect(sound.notes).toBe('');
    expect(sound.exitCode).toBe(0);
    expect(sound.out).toContain('takes the token');
    done(
      '--tenant clinic integrations create ill --base-url https://a.example.com --credential bearer --secret missing',
    );
    const ill = postern('--tenant clinic doctor');
    expect(ill.exitCode).toBe(1);
    expect(ill.out).toContain(
      'broken  integration ill: its secret missing does not exist [secret-missing]\n        → postern secrets set missing\n',
    );
    expect(ill.out).toContain('warning integration ill: no rule allows any call to it');
  });

  test.each([
    ['the address of the data plane', () => ({ url: gateway.dataUrl, token: 'x' }), 'is not the control plane'],
    ['a wrong token', () => ({ url: gateway.adminUrl, token: 'wrong' }), 'refuses the token of POSTERN_ADMIN_TOKEN'],
    ['an address where nobody is', () => ({ url: 'http://127.0.0.1:9', token: 'x' }), 'does not answer'],
  ])('says so of %s', (_name, place, message) => {
    const { url, token } = place();
    const { exitCode, out } = postern('doctor', {
      environment: { POSTERN_ADMIN_URL: url, POSTERN_ADMIN_TOKEN: token },
    });
    expect(exitCode).toBe(1);
    expect(out).toContain(message);
  });
});

test('the doctor tells how far the clock of this machine is off', async () => {
  const { run } = await import('@postern/cli');
  let out = '';
  const context = {
    ...{ environment: {}, workingFolder: gateway.folder, input: undefined, askHidden: undefined, columns: undefined },
    write: (text: string) => {
      out += text;
    },
    note: () => undefined,
  };
  await run(['doctor'], { ...context, now: () => Date.now() + 60_000 });
  expect(out).toMatch(/warning clock: this machine's is (60|61) s ahead of the gateway's/);
  out = '';
  await run(['doctor'], { ...context, now: Date.now });
  expect(out).toContain('ok      clock: ');
});

test('on an old Node, start runs on the pinned one and stops when it is told to', async () => {
  const started = await startGateway(['--import', AS_OLD_NODE]);
  try {
    const { pid } = JSON.parse(readFileSync(path.join(started.folder, '.postern/run.json'), 'utf8'));
    expect(pid).not.toBe(started.process.pid);
    started.process.kill('SIGTERM');
    expect(await started.ended).toBe(0);
    expect(existsSync(path.join(started.folder, '.postern/run.json'))).toBe(false);
  } finally {
    rmSync(started.folder, { recursive: true });
  }
});
