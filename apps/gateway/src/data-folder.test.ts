import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type TemporaryFolder, temporaryFolder } from '@postern/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type DataFolder, DataFolderError, enclosingCheckout, openDataFolder } from './data-folder.ts';
import { lockFile } from './open-stores.ts';

let temporary: TemporaryFolder;
let place: string;
const opened: DataFolder[] = [];

beforeEach(async () => {
  temporary = await temporaryFolder();
  place = path.join(temporary.path, 'data');
});

afterEach(async () => {
  for (const folder of opened.splice(0)) folder.release();
  await temporary.remove();
});

function open(): DataFolder {
  const folder = openDataFolder(place, lockFile);
  opened.push(folder);
  return folder;
}

const at = (name: string) => path.join(place, name);
const modeOf = (name: string) => statSync(at(name)).mode & 0o777;

describe('a data folder', () => {
  test('is made for its owner alone, and tells git to look away', () => {
    open().keep('master-key', () => 'k1:AAAA');
    expect(modeOf('.')).toBe(0o700);
    expect(modeOf('spool')).toBe(0o700);
    for (const name of ['.gitignore', 'node-id', 'master-key']) expect(modeOf(name)).toBe(0o600);
    expect(readFileSync(at('.gitignore'), 'utf8')).toBe('*\n');
  });

  test('that was open to others is closed, its keys too', () => {
    mkdirSync(place, { mode: 0o755 });
    chmodSync(place, 0o755);
    writeFileSync(at('master-key'), 'k1:AAAA\n');
    chmodSync(at('master-key'), 0o644);
    expect(open().keep('master-key', () => 'another')).toBe('k1:AAAA');
    expect(modeOf('.')).toBe(0o700);
    expect(modeOf('master-key')).toBe(0o600);
  });

  test('keeps what was made, and makes nothing twice', () => {
    const first = open();
    expect(first.keep('admin-token', () => 'one')).toBe('one');
    expect(first.keep('admin-token', () => 'two')).toBe('one');
    first.release();
    opened.length = 0;
    const second = open();
    expect(second.node).toBe(first.node);
    expect(second.keep('admin-token', () => 'three')).toBe('one');
    expect(readdirSync(place).filter((name) => name.endsWith('.new'))).toEqual([]);
  });

  test.each(['', '\n', ' \n\n'])('with an empty key file (%j) is refused rather than given a new key', (text) => {
    const folder = open();
    writeFileSync(at('master-key'), text);
    expect(() => folder.keep('master-key', () => 'new')).toThrow(DataFolderError);
    expect(() => folder.keep('master-key', () => 'new')).toThrow(/master-key is empty.*backup/);
    expect(readFileSync(at('master-key'), 'utf8')).toBe(text);
  });

  test('tells where the gateway listens, until it stops', () => {
    const folder = open();
    folder.announce({ data: 'http://127.0.0.1:1', admin: 'http://127.0.0.1:2' });
    expect(JSON.parse(readFileSync(at('run.json'), 'utf8'))).toEqual({
      data: 'http://127.0.0.1:1',
      admin: 'http://127.0.0.1:2',
      pid: process.pid,
    });
    expect(modeOf('run.json')).toBe(0o600);
    folder.release();
    opened.length = 0;
    expect(readdirSync(place)).not.toContain('run.json');
  });

  test('that is a file is refused, with the variable that names another', () => {
    writeFileSync(place, '');
    expect(open).toThrow(DataFolderError);
    expect(open).toThrow(/POSTERN_DATA_DIR/);
  });
});

describe('its lock', () => {
  test('lets one gateway in, and leaves the spool of that one alone', () => {
    const first = open();
    writeFileSync(path.join(first.spoolFolder, 'body'), 'in flight');
    expect(open).toThrow(/Another gateway runs on the data folder .*POSTERN_DATA_DIR/);
    expect(readdirSync(first.spoolFolder)).toEqual(['body']);
  });

  test('is given up by a release, and what an earlier run left in the spool goes', () => {
    const first = open();
    writeFileSync(path.join(first.spoolFolder, 'body'), 'left over');
    first.release();
    opened.length = 0;
    expect(readdirSync(open().spoolFolder)).toEqual([]);
  });

  test('is not kept by an opening that failed', () => {
    open().release();
    opened.length = 0;
    writeFileSync(at('node-id'), '');
    expect(open).toThrow(/node-id is empty/);
    writeFileSync(at('node-id'), 'node-1\n');
    expect(open().node).toBe('node-1');
  });
});

describe('the checkout around a data folder', () => {
  test('is found however deep the folder lies, and only when there is one', () => {
    expect(enclosingCheckout(place)).toBeUndefined();
    mkdirSync(path.join(temporary.path, '.git'));
    expect(enclosingCheckout(place)).toBe(temporary.path);
    expect(enclosingCheckout(path.join(place, 'a/b'))).toBe(temporary.path);
    expect(enclosingCheckout(temporary.path)).not.toBe(temporary.path);
  });
});
