import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** One fault the checks found. `line` counts from 1. */
export interface Finding {
  readonly file: string;
  readonly line?: number;
  readonly message: string;
}

export interface WorkspacePackage {
  /** `packages/policy`, with slashes on every system. */
  readonly folder: string;
  readonly name: string;
  readonly manifest: PackageManifest;
}

export interface PackageManifest {
  readonly name: string;
  readonly exports?: Readonly<Record<string, unknown>>;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const NOT_SOURCE = new Set(['node_modules', 'dist', 'coverage', '.git', '.postern']);
const WORKSPACE_FOLDERS = ['packages', 'apps'];

/** All files below `root` but dependencies and build results, as paths with slashes, in order. */
export function listFiles(root: string, below = ''): string[] {
  const folder = path.join(root, below);
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const name = below === '' ? entry.name : `${below}/${entry.name}`;
      if (entry.isDirectory()) return NOT_SOURCE.has(entry.name) ? [] : listFiles(root, name);
      return entry.isFile() ? [name] : [];
    })
    .sort();
}

export function isSource(file: string): boolean {
  return /\.tsx?$/.test(file) && !file.endsWith('.d.ts');
}

/**
 * Tests, and what only tests import: conformance suites, test support (`test-support/`, `*.test-support.ts`), fixtures
 * (`*.fixture.ts`), the system tests and the benchmark.
 */
export function isTestFile(file: string): boolean {
  return /\.(test|test-support|fixture)\.tsx?$|\/(conformance|test-support)\/|^(test|bench)\//.test(file);
}

export function readJson<T>(root: string, file: string): T {
  const text = readFileSync(path.join(root, file), 'utf8');
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    throw new Error(`${file} is not JSON: ${(error as Error).message}`);
  }
}

/** The members of the workspace: each folder below `packages/` and `apps/` that has a package.json. */
export function readPackages(root: string): WorkspacePackage[] {
  return WORKSPACE_FOLDERS.flatMap((parent) => {
    if (!existsSync(path.join(root, parent))) return [];
    return readdirSync(path.join(root, parent))
      .map((name) => `${parent}/${name}`)
      .filter((folder) => existsSync(path.join(root, folder, 'package.json')))
      .map((folder) => {
        const manifest = readJson<PackageManifest>(root, `${folder}/package.json`);
        return { folder, name: manifest.name, manifest };
      });
  });
}

/** Prints the findings, then one line that sums them up; sets the exit code. */
export function report(check: string, findings: readonly Finding[], summary: string): void {
  for (const { file, line, message } of findings)
    console.error(`${file}${line === undefined ? '' : `:${line}`}  ${message}`);
  if (findings.length > 0) {
    console.error(`${check}: ${findings.length} ${findings.length === 1 ? 'fault' : 'faults'}`);
    process.exitCode = 1;
  } else {
    console.log(`${check}: ${summary}`);
  }
}
