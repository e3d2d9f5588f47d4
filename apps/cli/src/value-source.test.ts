import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readValueSource } from './value-source.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'postern-value-source-'));
const dataFolder = path.join(folder, '.postern');
mkdirSync(dataFolder);
writeFileSync(path.join(dataFolder, 'admin-token'), 'owner-token');
writeFileSync(path.join(folder, 'token'), 'from-the-file\n');
writeFileSync(path.join(folder, 'two-lines'), 'first\nsecond\r\n');
writeFileSync(path.join(folder, 'empty'), '\n');
writeFileSync(path.join(folder, 'large'), 'x'.repeat(1024 * 1024 + 1));
writeFileSync(path.join(folder, 'largest'), 'x'.repeat(1024 * 1024));
writeFileSync(path.join(folder, '.postern-notes'), 'beside the data folder');
symlinkSync(path.join(dataFolder, 'admin-token'), path.join(folder, 'innocent'));
afterAll(() => rmSync(folder, { recursive: true }));

const access = {
  environment: {
    GITHUB_TOKEN: 'from-the-environment',
    NOTHING: '',
    POSTERN_ADMIN_TOKEN: 'secret',
    postern_key: 'secret',
  },
  folder,
  dataFolder,
};

describe('a value is read', () => {
  test.each([
    ['env:GITHUB_TOKEN', 'from-the-environment'],
    ['file:token', 'from-the-file'],
    [`file:${path.join(folder, 'token')}`, 'from-the-file'],
    ['file:two-lines', 'first\nsecond'],
    ['file:.postern-notes', 'beside the data folder'],
    ['file:largest', 'x'.repeat(1024 * 1024)],
  ])('from %s', async (from, value) => {
    expect(await readValueSource(from, access)).toEqual({ value });
  });
});

describe('a value is refused', () => {
  test.each([
    ['env:POSTERN_ADMIN_TOKEN', 'begins with POSTERN_'],
    ['env:postern_key', 'begins with POSTERN_'],
    ['env:ABSENT', 'no variable ABSENT'],
    ['env:NOTHING', 'is empty'],
    ['env:', 'must be env:NAME or file:PATH'],
    ['vault:x', 'must be env:NAME or file:PATH'],
    ['token', 'must be env:NAME or file:PATH'],
    ['file:.postern/admin-token', 'inside Postern'],
    ['file:token/../.postern/admin-token', 'inside Postern'],
    ['file:./x/../.postern/admin-token', 'inside Postern'],
    ['file:innocent', 'inside Postern'],
    ['file:.postern', 'inside Postern'],
    ['file:absent', 'cannot be read (ENOENT)'],
    ['file:empty', 'is empty'],
    ['file:large', 'more than 1048576 bytes'],
    ['file:/dev/null', 'is not a file'],
    ['file:.', 'is not a file'],
  ])('from %s', async (from, message) => {
    expect(await readValueSource(from, access)).toHaveProperty('message', expect.stringContaining(message));
  });

  test('from the environment by way of a file', async () => {
    // Where there is no /proc, there is no such file either.
    const refused = expect.stringMatching(/must not name a file of \/proc|cannot be read \(ENOENT\)/);
    expect(await readValueSource('file:/proc/self/environ', access)).toHaveProperty('message', refused);
  });
});
