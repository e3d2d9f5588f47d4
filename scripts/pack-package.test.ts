import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { temporaryFolder } from '@postern/testing';
import { expect, test } from 'vitest';
import { writeTree } from './fixture-tree.test-support.ts';
import { prepare, publishedManifest, restore } from './pack-package.ts';

const MANIFEST = {
  name: '@postern/example',
  version: '1.0.0',
  exports: { '.': './src/index.ts', './ports': './src/ports/index.ts' },
  files: ['dist/**/*.js'],
  scripts: { prepack: 'x' },
  devDependencies: { vitest: '1' },
  dependencies: { undici: '8' },
};

test('the published manifest points to JavaScript and types and leaves out what only the workspace needs', () => {
  expect(publishedManifest(MANIFEST)).toEqual({
    name: '@postern/example',
    version: '1.0.0',
    files: ['dist/**/*.js'],
    dependencies: { undici: '8' },
    exports: {
      '.': { types: './dist/index.d.ts', default: './dist/index.js' },
      './ports': { types: './dist/ports/index.d.ts', default: './dist/ports/index.js' },
    },
  });
});

test('an entry outside src cannot be published', () => {
  expect(() => publishedManifest({ ...MANIFEST, exports: { '.': './index.js' } })).toThrow(
    'exports points to ./index.js',
  );
});

test('what an interrupted run has left is put back, and a clean folder is not touched', async () => {
  await using folder = await temporaryFolder();
  const read = () => JSON.parse(readFileSync(path.join(folder.path, 'package.json'), 'utf8'));
  writeTree(folder.path, {
    'package.json': publishedManifest(MANIFEST),
    'dist/workspace-package.json': MANIFEST,
    LICENSE: 'a copy',
  });
  restore(folder.path);
  expect(read()).toEqual(MANIFEST);
  expect(existsSync(path.join(folder.path, 'LICENSE'))).toBe(false);
  writeTree(folder.path, { LICENSE: 'its own' });
  restore(folder.path);
  expect(read()).toEqual(MANIFEST);
  expect(existsSync(path.join(folder.path, 'LICENSE'))).toBe(true);
});

test('a package that does not compile is not packed, and its manifest stays', async () => {
  await using folder = await temporaryFolder();
  writeTree(folder.path, { 'package.json': MANIFEST, 'src/index.ts': 'export const text: string = 1;\n' });
  expect(() => prepare(folder.path)).toThrow('@postern/example does not compile');
  expect(JSON.parse(readFileSync(path.join(folder.path, 'package.json'), 'utf8'))).toEqual(MANIFEST);
  expect(existsSync(path.join(folder.path, 'LICENSE'))).toBe(false);
});
