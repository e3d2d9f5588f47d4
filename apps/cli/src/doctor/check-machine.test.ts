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
  writeFileSync(path.join(folder, 'master-key'), KEY, { mode: 0o600 });
});
afterEach(() => rmSync(root, { recursive: true }));

const HERE = { isRemote: false, hasOwnMasterKey: false };
const KEY = `k1:${Buffer.alloc(32, 1).toString('base64')}`;

const broken = () => checkDataFolder(folder, HERE).filter(({ status }) => status === 'broken');

describe('the data folder', () => {
  test('is in order when it is for its owner alone', () => {
    expect(broken()).toEqual([]);
  });

  test('that is not there is broken, unless the gateway is another machine’s', () => {
    rmSync(folder, { recursive: true });
    expect(broken()).toMatchObject([{ message: 'does not exist' }]);
    expect(checkDataFolder(folder, { ...HERE, isRemote: true })).toEqual([]);
  });

  test('that cannot be listed is broken, and nothing else is said of it', () => {
    const file = path.join(root, 'file');
    writeFileSync(file, '');
    expect(checkDataFolder(file, HERE)).toMatchObject([{ status: 'broken', code: 'folder-unreadable' }]);
  });

  test.each([0o750, 0o701])('with mode %o is broken', (mode) => {
    chmodSync(folder, mode);
    expect(broken()).toMatchObject([{ about: `data folder ${folder}`, remedy: `chmod go-rwx '${folder}'` }]);
  });

  test.each(['master-key', 'admin-token', 'postern.db', 'postern.db-wal', 'run.json'])(
    'whose %s others can read is broken',
    (name) => {
      const file = path.join(folder, name);
      writeFileSync(file, KEY);
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
    expect(checkDataFolder(folder, HERE).filter(({ status }) => status === 'warning')).toMatchObject([
      { message: `lies in the checkout ${root}: an agent that works there can read the keys` },
    ]);
  });
});

describe('the master key', () => {
  const codes = (use = HERE) => checkDataFolder(folder, use).flatMap(({ code }) => code ?? []);
  const file = () => path.join(folder, 'master-key');

  test('that is not there beside a database is a warning, unless the gateway is given another', () => {
    rmSync(file());
    expect(codes()).toEqual([]);
    writeFileSync(path.join(folder, 'postern.db'), '', { mode: 0o600 });
    expect(codes()).toEqual(['master-key-missing']);
    expect(codes({ ...HERE, hasOwnMasterKey: true })).toEqual([]);
  });

  test.each([
    ['32 bytes', 32, []],
    ['31 bytes', 31, ['master-key-unusable']],
    ['33 bytes', 33, ['master-key-unusable']],
    ['none', 0, ['master-key-unusable']],
  ])('of %s', (_name, bytes, expected) => {
    writeFileSync(file(), `k1:${Buffer.alloc(bytes, 1).toString('base64')}\n`);
    expect(codes()).toEqual(expected);
  });

  test.each(['', 'secret', 'k1:', `:${KEY.slice(3)}`, `${KEY},k2`, 'k1:not base64!'])(
    '"%s" is none, and is not repeated',
    (text) => {
      writeFileSync(file(), text);
      const [finding] = checkDataFolder(folder, HERE).filter(({ code }) => code === 'master-key-unusable');
      expect(finding).toBeDefined();
      if (text.length > 4) expect(JSON.stringify(finding)).not.toContain(text);
    },
  );

  test('may be several', () => {
    writeFileSync(file(), `${KEY}, k2:${Buffer.alloc(32, 2).toString('base64')}`);
    expect(codes()).toEqual([]);
  });
});

test.each([
  [512, 'ok'],
  [511, 'warning'],
  [64, 'warning'],
  [63, 'broken'],
])('a disk with %i MiB left is %s', (mebibytes, status) => {
  const finding = judgeDisk('/data', mebibytes * 1024 * 1024);
  expect([finding.status, finding.code]).toEqual([status, status === 'ok' ? undefined : 'disk-full']);
});

test.each([
  ['24.0.0', 'ok'],
  ['26.1.0', 'ok'],
  ['23.9.9', 'broken'],
])('Node %s is %s', (version, status) => {
  const finding = checkNode(version);
  expect([finding.status, finding.code]).toEqual([status, status === 'ok' ? undefined : 'node-too-old']);
});
