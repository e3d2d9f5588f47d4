import { readFile, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import type { ConfigDocument, Integration, ValueSource } from '@postern/schemas';
import type { PlacedIssue } from '../validation/check-shape.ts';
import type { IssuePath } from '../validation/schema-walk.ts';
import type { ResolvedAgent, ResolvedDocument, ResolvedSecret } from './resolved-document.ts';

/** A file larger than this is no secret. */
const FILE_BYTES_MAX = 1024 * 1024;

/** Where the values of `from:` may be read, if at all: by whoever reads a file of its own, never for a request. */
export type SourceAccess =
  | { readonly allowFrom: false }
  | {
      readonly allowFrom: true;
      readonly env: Readonly<Record<string, string | undefined>>;
      /** The folder that relative paths start from: that of the document. */
      readonly folder: string;
      /** The gateway's data folder, whose files are never given out. */
      readonly dataFolder?: string;
    };

export interface ResolvedSources {
  /** Undefined when there are issues. */
  readonly document: ResolvedDocument | undefined;
  readonly issues: readonly PlacedIssue[];
  /** Secrets that stand in clear in the document: a reader of its own file should say so. */
  readonly warnings: readonly PlacedIssue[];
}

/** Replaces every `from: env:NAME` and `from: file:PATH` by its value. Names that begin with `POSTERN_` and paths inside the data folder are refused. */
export async function resolveSources(document: ConfigDocument, access: SourceAccess): Promise<ResolvedSources> {
  const issues: PlacedIssue[] = [];
  const warnings: PlacedIssue[] = [];
  const read = async (source: ValueSource, place: IssuePath): Promise<string> => {
    if ('value' in source) {
      warnings.push({ path: place, message: 'stands in clear in the document; use from: env:NAME or file:PATH' });
      return source.value;
    }
    const found = await readSource(source.from, access);
    if ('value' in found) return found.value;
    issues.push({ path: [...place, 'from'], message: found.message });
    return '';
  };
  const secrets = await resolveSecrets(document, read);
  const integrations = await resolveIntegrations(document, read);
  const agents = await resolveAgents(document, read);
  const resolved: ResolvedDocument = {
    tenant: document.tenant,
    ...(document.global === undefined ? {} : { globalRules: document.global.rules }),
    ...(document.risk === undefined ? {} : { risk: document.risk }),
    ...(document.rules === undefined ? {} : { rules: document.rules }),
    ...(document.notifications === undefined ? {} : { notifications: document.notifications }),
    ...(secrets === undefined ? {} : { secrets }),
    ...(document.templates === undefined ? {} : { templates: document.templates }),
    ...(integrations === undefined ? {} : { integrations }),
    ...(agents === undefined ? {} : { agents }),
  };
  return { document: issues.length === 0 ? resolved : undefined, issues, warnings };
}

type Read = (source: ValueSource, place: IssuePath) => Promise<string>;

async function resolveSecrets({ secrets }: ConfigDocument, read: Read) {
  if (secrets === undefined) return undefined;
  const resolved = new Map<string, ResolvedSecret>();
  for (const [name, { environments, ...source }] of Object.entries(secrets)) {
    const value = await read(source, ['secrets', name]);
    resolved.set(name, { value, ...(environments === undefined ? {} : { environments }) });
  }
  return resolved;
}

async function resolveIntegrations({ integrations }: ConfigDocument, read: Read): Promise<Integration[] | undefined> {
  if (integrations === undefined) return undefined;
  const resolved: Integration[] = [];
  for (const [index, { tls, ...integration }] of integrations.entries()) {
    const { ca: given } = tls;
    const isText = given === null || typeof given === 'string';
    const ca = isText ? given : await read(given, ['integrations', index, 'tls', 'ca']);
    resolved.push({ ...integration, tls: { ca } });
  }
  return resolved;
}

async function resolveAgents({ agents }: ConfigDocument, read: Read): Promise<ResolvedAgent[] | undefined> {
  if (agents === undefined) return undefined;
  const resolved: ResolvedAgent[] = [];
  for (const [index, { key, ...agent }] of agents.entries()) {
    const place = ['agents', index, 'key'];
    if (key === undefined) resolved.push({ agent });
    else resolved.push({ agent, key: await read(typeof key === 'string' ? { value: key } : key, place) });
  }
  return resolved;
}

type Found = { readonly value: string } | { readonly message: string };

async function readSource(from: string, access: SourceAccess): Promise<Found> {
  if (!access.allowFrom) {
    return { message: 'is read by the command line and for the start-up file alone; give the value' };
  }
  const isEnvironment = from.startsWith('env:');
  const name = from.slice(from.indexOf(':') + 1);
  const found = isEnvironment ? readVariable(name, access.env) : await readValueFile(name, access);
  return 'value' in found && found.value === '' ? { message: `${from} is empty` } : found;
}

function readVariable(name: string, env: Readonly<Record<string, string | undefined>>): Found {
  // Case is ignored because some systems ignore it in the names of variables.
  if (name.toUpperCase().startsWith('POSTERN_')) {
    return { message: "must not name a variable that begins with POSTERN_: those are the gateway's own" };
  }
  const value = env[name];
  return value === undefined ? { message: `the environment has no variable ${name}` } : { value };
}

async function readValueFile(
  name: string,
  { folder, dataFolder }: Extract<SourceAccess, { allowFrom: true }>,
): Promise<Found> {
  const given = path.resolve(folder, name);
  try {
    // Judged is the file that is read, not the link that leads to it.
    const file = await realpath(given);
    if (file.startsWith('/proc/')) return { message: 'must not name a file of /proc' };
    if (dataFolder !== undefined && (await isInside(file, dataFolder))) {
      return { message: 'must not name a file inside the data folder' };
    }
    const { size } = await stat(file);
    if (size > FILE_BYTES_MAX) return { message: `the file has more than ${FILE_BYTES_MAX} bytes` };
    // Editors and `echo` end a file with a line break that is no part of the value.
    return { value: (await readFile(file, 'utf8')).replace(/\r?\n$/, '') };
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
    return { message: `the file ${given} cannot be read (${code})` };
  }
}

async function isInside(file: string, folder: string): Promise<boolean> {
  const real = await realpath(folder).catch(() => path.resolve(folder));
  const relative = path.relative(real, file);
  return relative === '' || (!relative.startsWith(`..${path.sep}`) && relative !== '..' && !path.isAbsolute(relative));
}
