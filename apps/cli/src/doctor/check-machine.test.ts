import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkDataFolder, checkNode, enclosingCheckout, judgeDisk } from './check-machine.ts';

let root: string;
let folder: string;
beforeEach(() => {
  root = mkdtempSync(path.join(tmpdir(), 'postern-doctor-'));
  folder = path.join(root, '.postern');
  mkdirSync(folder, { mode: 0o700 });
  writeFileSync(path.join(folder, 'master-key'), 'secret', { mode: 0o600 });
});
afterEach(() => rmSync(root, { recursive: true }));

const broken = () => checkDataFolder(folder, false).filter(({ status }) => status === 'broken');

describe('the data folder', () => {
  test('is in order when it is for its owner alone', () => {
    expect(broken()).toEqual([]);
  });

  test('that is not there is broken, unless the gateway is another machine’s', () => {
    rmSync(folder, { recursive: true });
    expect(broken()).toMatchObject([{ message: 'does not exist' }]);
    expect(checkDataFolder(folder, true)).toEqual([]);
  });

  test.each([0o750, 0o701])('with mode %o is broken', (mode) => {
    chmodSync(folder, mode);
    expect(broken()).toMatchObject([{ about: `data folder ${folder}`, remedy: `chmod go-rwx '${folder}'` }]);
  });

  test.each(['master-key', 'admin-token', 'postern.db', 'postern.db-wal', 'run.json'])(
    'whose %s others can read is broken',
    (name) => {
      const file = path.join(folder, name);
      writeFileSync(file, 'secret');
      chmodSync(file, 0o640);
      expect(broken()).toMatchObject([{ about: `file ${file}`, message: 'has mode 0640: other users can read it' }]);
    },
  );

  test('may hold what is no secret with other rights', () => {
    writeFileSync(path.join(folder, '.gitignore'), '*');
    chmodSync(path.join(folder, '.gitignore'), 0o644);
    expect(broken()).toEqual([]);
  });

  test('in a checkout is a warning that names it', () => {
    expect(enclosingCheckout(folder)).toBeUndefined();
    mkdirSync(path.join(root, '.git'));
    expect(enclosingCheckout(folder)).toBe(root);
    expect(checkDataFolder(folder, false).filter(({ status }) => status === 'warning')).toMatchObject([
      { message: `lies in the checkout ${root}: an agent that works there can read the keys` },
    ]);
  });
});

test.each([
  [512, 'ok'],
  [511, 'warning'],
  [64, 'warning'],
  [63, 'broken'],
])('a disk with %i MiB left is %s', (mebibytes, status) => {
  expect(judgeDisk('/data', mebibytes * 1024 * 1024).status).toBe(status);
});

test.each([
  ['24.0.0', 'ok'],
  ['26.1.0', 'ok'],
  ['23.9.9', 'broken'],
])('Node %s is %s', (version, status) => {
  expect(checkNode(version).status).toBe(status);
});
