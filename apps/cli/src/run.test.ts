import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseAgentKey } from '@postern/auth';
import { afterAll, describe, expect, test } from 'vitest';
import { recordedContext } from './context.test-support.ts';
import type { CliContext } from './context.ts';
import { run } from './run.ts';

const emptyFolder = mkdtempSync(path.join(tmpdir(), 'postern-run-'));
afterAll(() => rmSync(emptyFolder, { recursive: true }));

async function postern(words: string, given: Partial<CliContext> & { inputText?: string } = {}) {
  const context = recordedContext({ workingFolder: emptyFolder, ...given });
  const exitCode = await run(words === '' ? [] : words.split(' '), context);
  return { exitCode, out: context.written(), notes: context.noted() };
}

describe('help', () => {
  test('lists the commands in groups, and is no failure', async () => {
    const { exitCode, out } = await postern('--help');
    expect(exitCode).toBe(0);
    expect(out).toMatch(/Objects:\n {2}tenants .*\n {2}admins /);
    expect(out).toContain('Exit codes: 0 done, 1 refused or failed, 2 misused.');
  });

  test('of a command shows its own options and those of all', async () => {
    for (const words of ['audit list --help', 'help audit list']) {
      const { exitCode, out } = await postern(words);
      expect(exitCode).toBe(0);
      expect(out).toContain('--request-id <id>');
      expect(out).toContain('--json');
    }
  });
});

describe('a misuse ends with 2 and says what to do', () => {
  test.each([
    ['', 'Usage: postern'],
    ['agents', 'Usage: postern agents'],
    ['agnets list', "unknown command 'agnets'"],
    ['agents lst', "unknown command 'lst'"],
    ['agents list --colour', "unknown option '--colour'"],
    ['agents show', "missing required argument 'name'"],
    ['admins create bob', "required option '--role <role>'"],
    ['admins create bob --role king', 'Allowed choices are owner, admin, approver, auditor, operator'],
    ['users list', '"users" is not in this version'],
    ['approvals list --status waiting', 'Allowed choices are pending, approved'],
    ['approvals approve a --grant forever', 'is none of once, times:N, until:TIME, rule'],
    ['approvals approve a --grant times', 'is none of once'],
    ['approvals approve a --grant times:0', 'is none of once'],
    ['approvals approve a --grant once:1', 'is none of once'],
    ['approvals approve a --grant until:soon', '--grant until: "soon" is neither a time'],
    ['approvals deny a', "required option '--reason <text>'"],
    ['approvals deny a --reason no --until soon', '--until: "soon" is neither a time'],
    ['claims list --all --limit 3', '--all takes neither --limit nor --cursor'],
    ['claims resolve a --note x', "required option '--outcome <outcome>'"],
    ['claims resolve a --outcome perhaps --note x', 'Allowed choices are done, not_done, retry'],
    ['claims resolve a --outcome done', "required option '--note <text>'"],
    ['admins update bob', 'give --group, as often as needed, or --no-groups'],
    ['admins update bob --group ops --no-groups', 'give --group, as often as needed, or --no-groups'],
    ['--tenant acme edges list', '"edges" is not in this version'],
    ['migrate --database-url mysql://x', '--database-url: is neither sqlite:PATH nor postgres://'],
    ['migrate --grant-to app', '--grant-to is for PostgreSQL'],
    ['migrate --check --grant-to app', '--check changes nothing'],
    ['db', 'Usage: postern db'],
    ['db import', 'give --to or POSTERN_DATABASE_URL as postgres://'],
    ['completion tcsh', 'Allowed choices are bash, zsh, fish'],
    ['audit list --limit 0', '--limit: "0" is not a number from 1'],
    ['agents keys issue coder --expires-in soon', '--expires-in: "soon" is neither'],
    ['agents keys issue coder --expires-in 1d --expires-at 2030-01-01', 'not both'],
    ['agents keys issue coder --scope root', '--scope: "root" is not one of call, explain, buffer'],
    ['agents update coder', 'give at least one member'],
    ['agents show ..', '".." is not a name'],
    ['secrets set token value-in-clear', 'too many arguments'],
    ['secrets set token', 'standard input is a terminal'],
    ['secrets set token --from-env A --from-file b', 'not both'],
    ['secrets activate token latest', 'not the number of a version'],
    ['rules create r1 --method GET', 'give an id and --effect'],
    ['integrations create x', 'give -f FILE'],
    ['integrations create x --secret s', 'say with --credential'],
    ['explain github GET /', 'POSTERN_KEY or --key'],
    ['explain github GET / --key nonsense', 'no agent key'],
    ['whoami --key nonsense', 'no agent key'],
  ])('postern %s', async (words, message) => {
    // A gateway that is there, so that each of these is refused for itself; it is never called.
    const environment = { POSTERN_ADMIN_URL: 'http://127.0.0.1:9', POSTERN_ADMIN_TOKEN: 'x' };
    const { exitCode, out, notes } = await postern(words, { environment });
    expect(notes).toContain(message);
    expect(exitCode).toBe(2);
    expect(out).toBe('');
  });
});

describe('a failure ends with 1', () => {
  test('when no gateway runs', async () => {
    const { exitCode, out, notes } = await postern('agents list');
    expect({ exitCode, out }).toEqual({ exitCode: 1, out: '' });
    expect(notes).toContain('No gateway runs on the data folder');
    expect(notes).toContain('postern start');
  });

  test('when nobody answers', async () => {
    // Port 9 (discard) of a loopback address that nothing listens on.
    const environment = { POSTERN_ADMIN_URL: 'http://127.0.0.1:9', POSTERN_ADMIN_TOKEN: 'x' };
    const { exitCode, notes } = await postern('agents list', { environment });
    expect(exitCode).toBe(1);
    expect(notes).toMatch(/http:\/\/127\.0\.0\.1:9 does not answer/);
  });

  test('when a secret is read from a variable of the gateway', async () => {
    const environment = { POSTERN_MASTER_KEY: 'k1:secret' };
    const { exitCode, notes } = await postern('secrets set token --from-env POSTERN_MASTER_KEY', { environment });
    expect(exitCode).toBe(1);
    expect(notes).toContain("those are Postern's own");
    expect(notes).not.toContain('k1:secret');
  });

  test('when a secret is empty', async () => {
    const { exitCode, notes } = await postern('secrets set token', { inputText: '\n' });
    expect({ exitCode, notes }).toEqual({ exitCode: 1, notes: 'postern: The value is empty.\n' });
  });
});

describe('postern keys generate', () => {
  test('prints a key in key format, alone on its line', async () => {
    const { exitCode, out } = await postern('keys generate');
    expect(exitCode).toBe(0);
    expect(parseAgentKey(out.trimEnd())).toBeDefined();
  });

  test('answers scripts with the key and its public id', async () => {
    const { out } = await postern('keys generate --json');
    const { key, id } = JSON.parse(out);
    expect(parseAgentKey(key)?.publicId).toBe(id);
  });
});

test('what was pasted into the command line moves no cursor either', async () => {
  const { notes } = await postern('agnets\u001b[2J\u202e');
  expect(notes).toContain("unknown command 'agnets\\u{1b}[2J\\u{202e}'");
});
