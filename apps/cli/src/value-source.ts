import { open, realpath } from 'node:fs/promises';
import path from 'node:path';

/** A file larger than this is no secret. */
const FILE_BYTES_MAX = 1024 * 1024;

/** Where values may be read from. */
export interface ValueAccess {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The folder that relative paths start from. */
  readonly folder: string;
  /** The gateway's data folder, whose files are never given out. */
  readonly dataFolder: string;
}

/** A value, or why there is none; the message repeats no value. */
export type FoundValue = { readonly value: string } | { readonly message: string };

/** The value of `env:NAME` or `file:PATH`. The gateway's own variables and files are refused: a document may come from elsewhere. */
export async function readValueSource(from: string, access: ValueAccess): Promise<FoundValue> {
  const [scheme, name] = splitSource(from);
  if (name === '' || (scheme !== 'env' && scheme !== 'file')) return { message: 'must be env:NAME or file:PATH' };
  const found = scheme === 'env' ? readVariable(name, access) : await readValueFile(name, access);
  return 'value' in found && found.value === '' ? { message: `${from} is empty` } : found;
}

function splitSource(from: string): readonly [string, string] {
  const colon = from.indexOf(':');
  return colon < 0 ? ['', ''] : [from.slice(0, colon), from.slice(colon + 1)];
}

function readVariable(name: string, { environment }: ValueAccess): FoundValue {
  // Some systems ignore case in the names of variables.
  if (name.toUpperCase().startsWith('POSTERN_')) {
    return { message: "must not name a variable that begins with POSTERN_: those are Postern's own" };
  }
  const value = environment[name];
  return value === undefined ? { message: `the environment has no variable ${name}` } : { value };
}

async function readValueFile(name: string, { folder, dataFolder }: ValueAccess): Promise<FoundValue> {
  const given = path.resolve(folder, name);
  try {
    // The file that is read is judged, not the link that leads to it.
    const file = await realpath(given);
    if (await isInside(file, dataFolder)) return { message: "must not name a file inside Postern's data folder" };
    // `/proc/self/environ` would give out all that the variables above must not.
    if (file.startsWith('/proc/')) return { message: 'must not name a file of /proc' };
    return await readRegularFile(file, given);
  } catch (cause) {
    return { message: `the file ${given} cannot be read (${codeOf(cause)})` };
  }
}

async function readRegularFile(file: string, given: string): Promise<FoundValue> {
  const handle = await open(file);
  try {
    const state = await handle.stat();
    if (!state.isFile()) return { message: `${given} is not a file` };
    if (state.size > FILE_BYTES_MAX) return { message: `the file has more than ${FILE_BYTES_MAX} bytes` };
    return { value: withoutFinalBreak(await handle.readFile('utf8')) };
  } finally {
    await handle.close();
  }
}

/** Editors and `echo` end a text with a line break that is no part of the value. */
export function withoutFinalBreak(text: string): string {
  return text.replace(/\r?\n$/, '');
}

async function isInside(file: string, folder: string): Promise<boolean> {
  const real = await realpath(folder).catch(() => path.resolve(folder));
  const relative = path.relative(real, file);
  return relative === '' || (relative !== '..' && !relative.startsWith(`..${path.sep}`) && !path.isAbsolute(relative));
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
}
