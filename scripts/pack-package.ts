/**
 * Makes a package of the workspace ready for `npm pack` and `npm publish`, and puts everything back afterwards. Called in the
 * package's folder: `prepack` runs `node ../../scripts/pack-package.ts prepare`, `postpack` runs `… restore`.
 *
 * In the workspace `exports` points to `src/*.ts`, which Node runs as they are; inside `node_modules` Node strips no types, so the
 * tarball carries JavaScript and declarations in `dist/` and its `exports` points there.
 *
 * States: clean → prepared (the manifest is rewritten, the original lies in `dist/`) → clean. Building comes first and the rewrite
 * last, so a failed build leaves nothing; a run that was killed in between is put back by the next `prepare` or by `restore`.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

type Manifest = Record<string, unknown> & { name: string; exports: Record<string, string> };

const ROOT = path.resolve(import.meta.dirname, '..');
const MANIFEST = 'package.json';
const ORIGINAL = 'dist/workspace-package.json';
const LICENSE = 'LICENSE';
const TESTS = ['**/*.test.ts', '**/*.test-support.ts', '**/*.fixture.ts', '**/conformance/**', '**/test-support/**'];

export function prepare(folder: string): void {
  restore(folder);
  const manifestFile = path.join(folder, MANIFEST);
  const original = readFileSync(manifestFile, 'utf8');
  const manifest = JSON.parse(original) as Manifest;
  build(folder, manifest.name);
  try {
    copyFileSync(path.join(ROOT, LICENSE), path.join(folder, LICENSE));
    writeFileSync(path.join(folder, ORIGINAL), original);
    writeFileSync(manifestFile, `${JSON.stringify(publishedManifest(manifest), null, 2)}\n`);
  } catch (error) {
    restore(folder);
    throw error;
  }
}

/** Puts the manifest back and removes the copy of the licence; does nothing in a clean folder. */
export function restore(folder: string): void {
  const original = path.join(folder, ORIGINAL);
  if (!existsSync(original)) return;
  copyFileSync(original, path.join(folder, MANIFEST));
  rmSync(path.join(folder, LICENSE), { force: true });
  rmSync(original);
}

/** The manifest that goes into the tarball: `exports` into `dist/`, nothing that only the workspace needs. */
export function publishedManifest(manifest: Manifest): object {
  const { scripts: _scripts, devDependencies: _devDependencies, exports, ...rest } = manifest;
  return {
    ...rest,
    exports: Object.fromEntries(Object.entries(exports).map(([key, from]) => [key, builtEntry(from)])),
  };
}

function builtEntry(from: string): { types: string; default: string } {
  const match = /^\.\/src\/(.+)\.ts$/.exec(from);
  if (match === null) throw new Error(`exports points to ${from}, not to a file below ./src`);
  return { types: `./dist/${match[1]}.d.ts`, default: `./dist/${match[1]}.js` };
}

/**
 * Compiles `src` into `dist`. The root of the whole workspace is the compiler's, because other packages are read as sources too;
 * what it makes of them is left out.
 */
function build(folder: string, name: string): void {
  const cache = path.join(ROOT, 'node_modules/.cache/pack', path.basename(folder));
  const configuration = path.join(cache, 'tsconfig.json');
  const output = path.join(cache, 'output');
  rmSync(cache, { recursive: true, force: true });
  mkdirSync(cache, { recursive: true });
  const compilerOptions = {
    noEmit: false,
    declaration: true,
    rootDir: ROOT,
    outDir: output,
    types: ['node'],
    typeRoots: [path.join(ROOT, 'node_modules/@types')],
  };
  const config = {
    extends: path.join(ROOT, 'tsconfig.json'),
    compilerOptions,
    include: [path.join(folder, 'src')],
    exclude: TESTS.map((pattern) => path.join(folder, 'src', pattern)),
  };
  writeFileSync(configuration, JSON.stringify(config));
  const compiled = spawnSync(path.join(ROOT, 'node_modules/.bin/tsc'), ['-p', configuration], {
    encoding: 'utf8',
    cwd: ROOT,
  });
  if (compiled.status !== 0)
    throw new Error(`${name} does not compile:\n${compiled.stdout}${compiled.error?.message ?? ''}`);
  const dist = path.join(folder, 'dist');
  rmSync(dist, { recursive: true, force: true });
  cpSync(path.join(output, path.relative(ROOT, folder), 'src'), dist, { recursive: true });
  rmSync(cache, { recursive: true, force: true });
}

if (import.meta.main) {
  const commands: Record<string, (folder: string) => void> = { prepare, restore };
  const command = commands[process.argv[2] ?? ''];
  if (command === undefined) {
    console.error('usage: node scripts/pack-package.ts prepare|restore [FOLDER]');
    process.exitCode = 2;
  } else {
    command(path.resolve(process.argv[3] ?? '.'));
  }
}
