/** Holds ARCHITECTURE, section 2, against every import statement: `node scripts/check-imports.ts [ROOT]`. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import {
  COMPOSE_FILE,
  INDEX_STATEMENTS_MAX,
  MAY_IMPORT,
  PORTS_MAY_IMPORT,
  PURE_MAY_IMPORT,
  PURE_PACKAGES,
  STORE_CLIENTS,
  TEST_ONLY,
} from './import-rules.table.ts';
import { findImports, type ImportStatement, scanSource } from './scan-source.ts';
import {
  type Finding,
  isSource,
  isTestFile,
  listFiles,
  type PackageManifest,
  readJson,
  readPackages,
  report,
  type WorkspacePackage,
} from './source-tree.ts';

interface Place {
  readonly file: string;
  readonly isTest: boolean;
  /** Undefined for files outside the workspace's members: `test/`, `bench/`, `scripts/`, configuration. */
  readonly owner: WorkspacePackage | undefined;
}

interface Workspace {
  readonly packages: readonly WorkspacePackage[];
  readonly rootManifest: PackageManifest;
}

/** All violations below `root`, in order of files and lines. */
export function checkImports(root: string): Finding[] {
  const packages = readPackages(root);
  const workspace: Workspace = { packages, rootManifest: readJson<PackageManifest>(root, 'package.json') };
  const edges = new Map<string, Set<string>>();
  const findings = packages.flatMap(checkPackage);

  for (const file of listFiles(root).filter(isSource)) {
    const owner = packages.find(({ folder }) => file.startsWith(`${folder}/`));
    const place: Place = { file, owner, isTest: isTestFile(file) };
    const source = readFileSync(path.join(root, file), 'utf8');
    const scanned = scanSource(source);
    if (path.basename(file) === 'index.ts') findings.push(...checkIndex(place, scanned.code));
    for (const statement of findImports(source, scanned)) {
      for (const message of checkStatement(statement, place, workspace)) {
        findings.push({ file, line: statement.line, message });
      }
      const target = packageNamed(statement.specifier, workspace);
      if (owner && target && target !== owner && !place.isTest) addEdge(edges, owner.name, target.name);
    }
  }
  return [...findings, ...findCycles(edges)];
}

/** A package must have its place in the layering table. */
function checkPackage({ folder, name }: WorkspacePackage): Finding[] {
  if (!folder.startsWith('packages/') || Object.hasOwn(MAY_IMPORT, folderName(folder))) return [];
  return [
    {
      file: `${folder}/package.json`,
      message: `${name} is missing in scripts/import-rules.table.ts: say what it may import`,
    },
  ];
}

function checkIndex({ file, owner }: Place, code: string): Finding[] {
  if (owner === undefined) return [];
  const entries = Object.values(owner.manifest.exports ?? {});
  if (!entries.includes(`./${file.slice(owner.folder.length + 1)}`)) {
    return [{ file, message: 'an index.ts that is not in the exports map: inside a package files import files' }];
  }
  const statements = code.match(/(?<![\w$.])(export|import)\b/g)?.length ?? 0;
  const isCode = /(?<![\w$.])(function|class|const|let)\s/.test(code);
  return [
    ...(isCode ? [{ file, message: 'an index.ts only re-exports: move this code to a file of its own' }] : []),
    ...(statements > INDEX_STATEMENTS_MAX
      ? [{ file, message: `${statements} statements, at most ${INDEX_STATEMENTS_MAX}` }]
      : []),
  ];
}

function checkStatement(statement: ImportStatement, place: Place, workspace: Workspace): string[] {
  const { specifier, kind } = statement;
  const messages: string[] = [];
  if (kind === 'export-all') messages.push('no "export *": name what is exported');
  if (specifier.startsWith('.')) return [...messages, ...checkRelative(specifier, place)];
  if (TEST_ONLY.has(rootName(specifier)) && !place.isTest && place.owner !== undefined) {
    messages.push(`${rootName(specifier)} is for tests only`);
  }
  if (STORE_CLIENTS.has(rootName(specifier))) messages.push(...checkStoreClient(specifier, place));
  if (specifier.startsWith('node:')) return [...messages, ...checkNodeModule(specifier, place)];
  const target = packageNamed(specifier, workspace);
  if (target !== undefined) return [...messages, ...checkWorkspaceImport(specifier, target, place)];
  if (specifier.startsWith('@postern/')) return [...messages, `${specifier} is no package of this workspace`];
  return [...messages, ...checkDeclared(specifier, place, workspace)];
}

function checkRelative(specifier: string, { file, owner, isTest }: Place): string[] {
  const target = path.posix.normalize(path.posix.join(path.posix.dirname(file), specifier));
  const inMember = /^(packages|apps)\//.test(target);
  if (owner === undefined) return inMember ? [`${specifier} reaches into a package: import it by its name`] : [];
  if (!target.startsWith(`${owner.folder}/`))
    return [`${specifier} leaves ${owner.name}: import the other package by its name`];
  const inner = target.slice(owner.folder.length + 1);
  if (isTest) return [];
  if (inner === 'src/index.ts') return ['inside a package files import files, not the index'];
  if (isTestFile(target)) return [`${specifier} is a test file`];
  const [folder, fromPorts] = ['src/ports/', file.startsWith(`${owner.folder}/src/ports/`)];
  if (owner.name === '@postern/db' && fromPorts && !inner.startsWith(folder)) return ['ports know no adapter'];
  return [];
}

function checkNodeModule(specifier: string, { owner, isTest }: Place): string[] {
  if (owner === undefined || isTest || !isPure(owner) || PURE_MAY_IMPORT.has(specifier)) return [];
  return [`${owner.name} is pure: no ${specifier}, only ${[...PURE_MAY_IMPORT].join(', ')}`];
}

function checkStoreClient(specifier: string, { file, owner, isTest }: Place): string[] {
  const allowed = owner === undefined || isTest || owner.name === '@postern/db' || COMPOSE_FILE.test(file);
  return allowed ? [] : [`${specifier} belongs to the adapters of @postern/db and to apps/*/compose.ts`];
}

function checkWorkspaceImport(specifier: string, target: WorkspacePackage, place: Place): string[] {
  const { owner, isTest, file } = place;
  const messages: string[] = [];
  const subpath = `.${specifier.slice(target.name.length)}`;
  if (!isExported(subpath, target.manifest)) messages.push(`${specifier} is not in the exports map of ${target.name}`);
  if (owner === undefined) return messages;
  if (owner === target)
    return isTest ? messages : [...messages, 'inside a package files import files, not the package'];
  if (!isTest && !isDependency(target.name, owner.manifest)) messages.push(notDeclared(target.name, owner));
  if (!mayImport(place, target)) messages.push(`${owner.name} may not import ${target.name} (ARCHITECTURE, section 2)`);
  const seesAdapters = isTest || COMPOSE_FILE.test(file);
  if (target.name === '@postern/db' && subpath !== './ports' && !seesAdapters) {
    messages.push(`${specifier} is an adapter: only apps/*/compose.ts creates one, all else sees @postern/db/ports`);
  }
  const fromPorts = owner.name === '@postern/db' && file.startsWith(`${owner.folder}/src/ports/`);
  if (fromPorts && !PORTS_MAY_IMPORT.has(folderName(target.folder)))
    messages.push(`ports may not import ${target.name}`);
  return messages;
}

function mayImport({ owner, isTest }: Place, target: WorkspacePackage): boolean {
  if (owner === undefined || owner.folder.startsWith('apps/')) return true;
  if (target.folder.startsWith('apps/')) return false;
  const name = folderName(target.folder);
  // Tests of any package may start the fakes and a real store, and nothing else from above.
  if (isTest && (name === 'testing' || name === 'db')) return true;
  // Without an entry the package itself is reported, once.
  return MAY_IMPORT[folderName(owner.folder)]?.includes(name) ?? true;
}

/** Tests may also use what the root declares for all: the test runner, the official clients of others. */
function checkDeclared(specifier: string, { owner, isTest }: Place, { rootManifest }: Workspace): string[] {
  const name = rootName(specifier);
  if (owner === undefined)
    return isDependency(name, rootManifest, 'with-dev') ? [] : [`${name} is not declared in package.json`];
  if (isDependency(name, owner.manifest, isTest ? 'with-dev' : undefined)) return [];
  if (isTest && isDependency(name, rootManifest, 'with-dev')) return [];
  return [notDeclared(name, owner)];
}

function notDeclared(name: string, owner: WorkspacePackage): string {
  return `${name} is not declared in ${owner.folder}/package.json`;
}

function isDependency(name: string, manifest: PackageManifest, scope?: 'with-dev'): boolean {
  const { dependencies, peerDependencies, optionalDependencies, devDependencies } = manifest;
  const lists = [
    dependencies,
    peerDependencies,
    optionalDependencies,
    scope === 'with-dev' ? devDependencies : undefined,
  ];
  return lists.some((list) => list !== undefined && name in list);
}

function isExported(subpath: string, { exports = {} }: PackageManifest): boolean {
  return Object.keys(exports).some((key) => {
    const [before = '', after] = key.split('*');
    return after === undefined ? key === subpath : subpath.startsWith(before) && subpath.endsWith(after);
  });
}

function isPure({ folder }: WorkspacePackage): boolean {
  return folder.startsWith('packages/') && PURE_PACKAGES.has(folderName(folder));
}

function folderName(folder: string): string {
  return folder.slice(folder.indexOf('/') + 1);
}

/** The package of a specifier: `@scope/name` or `name`, without the path behind it. */
function rootName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function packageNamed(specifier: string, { packages }: Workspace): WorkspacePackage | undefined {
  return packages.find(({ name }) => name === rootName(specifier));
}

function addEdge(edges: Map<string, Set<string>>, from: string, to: string): void {
  edges.set(from, (edges.get(from) ?? new Set()).add(to));
}

/** One finding for each circle of packages, told from its first member in the order of the walk. */
function findCycles(edges: ReadonlyMap<string, ReadonlySet<string>>): Finding[] {
  const findings: Finding[] = [];
  const finished = new Set<string>();

  function walk(name: string, trail: readonly string[]): void {
    const begin = trail.indexOf(name);
    if (begin >= 0) {
      findings.push({
        file: 'package.json',
        message: `packages import each other: ${[...trail.slice(begin), name].join(' → ')}`,
      });
      return;
    }
    if (finished.has(name)) return;
    for (const next of edges.get(name) ?? []) walk(next, [...trail, name]);
    finished.add(name);
  }

  for (const name of edges.keys()) walk(name, []);
  return findings;
}

if (import.meta.main) {
  const root = path.resolve(process.argv[2] ?? '.');
  report('imports', checkImports(root), `all of ${listFiles(root).filter(isSource).length} files keep the rules`);
}
