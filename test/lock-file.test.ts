import { execFile } from 'node:child_process';
import { cpSync, globSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder } from '@postern/testing';
import { expect, test } from 'vitest';

const ROOT = path.resolve(import.meta.dirname, '..');

/** npm refuses a lock file that lacks a package of another system, even one that it would not install here. */
test('npm ci accepts the lock file', async () => {
  await using folder = await temporaryFolder();
  for (const file of globSync(['package.json', 'package-lock.json', '{apps,packages}/*/package.json'], { cwd: ROOT })) {
    cpSync(path.join(ROOT, file), path.join(folder.path, file));
  }
  const environment = Object.entries(process.env).filter(([name]) => !name.startsWith('npm_'));
  const { stdout } = await promisify(execFile)('npm', ['ci', '--dry-run', '--offline', '--ignore-scripts'], {
    cwd: folder.path,
    env: Object.fromEntries(environment),
  });
  expect(stdout).toMatch(/added \d+ packages/);
});
