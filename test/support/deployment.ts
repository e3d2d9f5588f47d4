import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseAllDocuments } from 'yaml';
import { command } from './command-line.ts';

export const ROOT = path.resolve(import.meta.dirname, '../..');
export const DEPLOY = path.join(ROOT, 'deploy');

const WORKSPACE = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
export const VERSION: string = WORKSPACE.version;
export const NODE_VERSION: string = WORKSPACE.dependencies.node;
/** Number of the user and the group that containers run as. */
export const CONTAINER_USER = 10_001;

// biome-ignore lint/suspicious/noExplicitAny: a test reads whatever members it expects and fails when they are not there.
export type Document = any;

export function deployFile(name: string): string {
  return readFileSync(path.join(DEPLOY, name), 'utf8');
}

/** All documents of a YAML file. @throws for anything that a strict reader would not take: doubled keys, unknown tags, warnings. */
export function deployDocuments(name: string): readonly Document[] {
  const documents = parseAllDocuments(deployFile(name), { merge: true, strict: true, uniqueKeys: true });
  if (!Array.isArray(documents)) throw new Error(`${name} holds no document`);
  return documents.map((document) => {
    const [fault] = [...document.errors, ...document.warnings];
    if (fault !== undefined) throw new Error(`${name}: ${fault.message}`);
    return document.toJS();
  });
}

/** Every object of the Kubernetes manifests, with the file that it stands in. */
export function manifests(): readonly { readonly file: string; readonly object: Document }[] {
  return readdirSync(path.join(DEPLOY, 'kubernetes'))
    .filter((file) => file.endsWith('.yaml') && file !== 'kustomization.yaml')
    .flatMap((file) => deployDocuments(`kubernetes/${file}`).map((object) => ({ file, object })));
}

export function manifest(kind: string, name: string): Document {
  const found = manifests().filter(({ object }) => object.kind === kind && object.metadata.name === name);
  if (found.length !== 1) throw new Error(`${found.length} objects are called ${kind} ${name}`);
  return found[0]?.object;
}

export interface Instruction {
  readonly name: string;
  readonly text: string;
}

const INSTRUCTIONS = new Set([
  ...['FROM', 'WORKDIR', 'COPY', 'RUN', 'USER', 'ENV', 'VOLUME', 'EXPOSE', 'STOPSIGNAL'],
  ...['HEALTHCHECK', 'ENTRYPOINT', 'CMD'],
]);

/** The instructions of a Dockerfile, continued lines joined. @throws for one that is none of those we use. */
export function instructionsOf(dockerfile: string): readonly Instruction[] {
  const lines = dockerfile
    .split('\n')
    .filter((line) => !/^\s*#/.test(line) && line.trim() !== '')
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line !== '');
  return lines.map((line) => {
    const [, name = '', text = ''] = /^([A-Z]+) (.+)$/.exec(line) ?? [];
    if (!INSTRUCTIONS.has(name)) throw new Error(`no instruction of a Dockerfile that we use: ${line}`);
    return { name, text };
  });
}

/** What `${NAME:?…}` and `${NAME:-…}` of a compose file become. @throws for a variable that is not given and has no default. */
export function interpolate(text: string, given: Readonly<Record<string, string>>): string {
  return text
    .replaceAll('$$', '\0')
    .replaceAll(/\$\{([A-Z_]+)(?::([?-])([^}]*))?\}/g, (_all, name: string, kind: string | undefined, rest: string) => {
      const value = given[name];
      if (value !== undefined) return value;
      if (kind === '-') return rest;
      throw new Error(`${name} is not given: ${rest}`);
    })
    .replaceAll('\0', '$');
}

/** Values that would do for what must be given. */
export const GIVEN = {
  POSTGRES_PASSWORD: 'aaaa',
  POSTERN_DB_OWNER_PASSWORD: 'bbbb',
  POSTERN_DB_PASSWORD: 'cccc',
  POSTERN_REDIS_PASSWORD: 'dddd',
  POSTERN_MASTER_KEY: `k1:${Buffer.alloc(32, 7).toString('base64')}`,
  POSTERN_ADMIN_TOKEN: 'e'.repeat(40),
};

/** What the image sets. */
export function imageEnvironment(): Record<string, string> {
  const texts = instructionsOf(deployFile('Dockerfile')).filter(({ name }) => name === 'ENV');
  return Object.fromEntries(
    texts.flatMap(({ text }) => text.split(/\s+/).map((pair) => pair.split('=') as [string, string])),
  );
}

/** @throws when the command line does not take these arguments: a command or an option that is none. */
export async function requireCommand(args: readonly string[]): Promise<void> {
  const words = args.filter((arg, place) => !arg.startsWith('-') && !(args[place - 1] ?? '').startsWith('-'));
  const { code, out: help } = await command([...words, '--help'], { folder: ROOT });
  const unknown = args.filter((arg) => arg.startsWith('--') && !help.includes(`  ${arg}`));
  if (code !== 0 || unknown.length > 0)
    throw new Error(`postern ${words.join(' ')} is no command, or does not take ${unknown.join(', ')}`);
}
