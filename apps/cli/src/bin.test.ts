import { type SpawnSyncOptions, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const BIN = fileURLToPath(new URL('../bin/postern.js', import.meta.url));

/** Makes the process that gets it take itself for an old Node; a process that it starts does not get it. */
const AS_OLD_NODE = [
  '--import',
  `data:text/javascript,${encodeURIComponent("Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.0' } })")}`,
];

function postern(
  args: readonly string[],
  { bin = BIN, ...options }: SpawnSyncOptions & { readonly bin?: string } = {},
) {
  return spawnSync(process.execPath, [bin, ...args], { encoding: 'utf8', ...options });
}

function posternOnOldNode(
  args: readonly string[],
  { bin = BIN, ...options }: SpawnSyncOptions & { readonly bin?: string } = {},
) {
  return spawnSync(process.execPath, [...AS_OLD_NODE, bin, ...args], { encoding: 'utf8', ...options });
}

describe('the program', () => {
  test('runs on the Node it is started with when that is new enough', () => {
    expect(postern(['--version'])).toMatchObject({ status: 0, stdout: '0.1.0\n', stderr: '' });
  });

  test('runs from any folder', () => {
    expect(postern(['--version'], { cwd: tmpdir() }).status).toBe(0);
  });

  test('passes its exit code on', () => {
    expect(postern(['nonsense']).status).toBe(2);
  });
});

describe('on an old Node', () => {
  test('it runs itself again with the pinned one, with arguments, input, output and exit code', () => {
    expect(posternOnOldNode(['--version'])).toMatchObject({ status: 0, stdout: '0.1.0\n', stderr: '' });
    expect(posternOnOldNode(['nonsense']).status).toBe(2);
    const emptyValue = posternOnOldNode(['secrets', 'set', 'x'], { input: '\n' });
    expect(emptyValue).toMatchObject({ status: 1, stderr: 'postern: The value is empty.\n' });
  });

  test('it says what to do where the pinned one is missing', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'postern-bin-'));
    try {
      const bin = path.join(folder, 'postern.mjs');
      cpSync(BIN, bin);
      const { status, stderr } = posternOnOldNode(['--version'], { bin });
      expect(status).toBe(1);
      expect(stderr).toMatch(/this Node is 18\.20\.0, and Postern needs 24\. Run "npm install"/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
