import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Document, isAlias, isMap, isNode, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml';
import type { CliContext } from './context.ts';
import { Failure, Misuse } from './exit.ts';

/** Uses of anchors; each may stand for a large part of the document. */
const ALIASES_MAX = 100;

export interface YamlFile {
  /** As the user named it; `stdin` for `-`. */
  readonly name: string;
  /** The folder that relative paths in the document start from. */
  readonly folder: string;
  /** Plain JSON data. */
  readonly value: unknown;
  /** The line, from 1, of a field such as `integrations[0].timeouts.connectMs`, or of the nearest part that is there. */
  lineOf(field: string): number | undefined;
}

/**
 * Reads a YAML or JSON file (`-`: standard input). The server judges what it says; refused here is what is no plain document: bad
 * syntax, duplicate keys, tags, several documents in one.
 *
 * @throws Failure that names file and line and repeats nothing of the text, which may hold secrets.
 */
export async function readYamlFile(context: CliContext, name: string): Promise<YamlFile> {
  const text = name === '-' ? await readInput(context) : await readText(context, name);
  const shownName = name === '-' ? 'stdin' : name;
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
    stringKeys: true,
    schema: 'core',
    version: '1.2',
    logLevel: 'error',
  });
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    const described = faults.map(({ code, pos }) => {
      return `${shownName}:${lines.linePos(pos[0]).line}: ${code.toLowerCase().replaceAll('_', ' ')}`;
    });
    throw new Failure(`${shownName} is not valid YAML`, [...new Set(described)]);
  }
  return {
    name: shownName,
    folder: name === '-' ? context.workingFolder : path.dirname(path.resolve(context.workingFolder, name)),
    value: plainData(document, shownName),
    lineOf: (field) => lineOfPath(document, pathOfField(field), lines),
  };
}

async function readText(context: CliContext, name: string): Promise<string> {
  try {
    return await readFile(path.resolve(context.workingFolder, name), 'utf8');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
    throw new Failure(`${name} cannot be read (${code})`);
  }
}

/** All of standard input as text. */
export async function readInput({ input }: CliContext): Promise<string> {
  if (input === undefined) throw new Misuse('standard input is a terminal; pipe the text in');
  const chunks: Uint8Array[] = [];
  for await (const chunk of input) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

function plainData(document: Document.Parsed, name: string): unknown {
  try {
    return document.toJS({ maxAliasCount: ALIASES_MAX });
  } catch (cause) {
    if (!(cause instanceof ReferenceError)) throw cause;
    throw new Failure(`${name}: anchors are used more than ${ALIASES_MAX} times, or one that is not there`);
  }
}

/** The steps of `rules[2].paths[0]`; names that hold dots are not told apart, and then the nearest line is given. */
function pathOfField(field: string): readonly (string | number)[] {
  return [...field.matchAll(/\[(\d+)\]|[^.[\]]+/g)].map(([step, index]) =>
    index === undefined ? step : Number(index),
  );
}

function lineOfPath(document: Document.Parsed, steps: readonly (string | number)[], lines: LineCounter) {
  const lineAt = (node: unknown) => (isNode(node) && node.range ? lines.linePos(node.range[0]).line : undefined);
  let node: unknown = document.contents;
  let line = lineAt(node);
  for (const step of steps) {
    const found = stepInto(isAlias(node) ? node.resolve(document) : node, step);
    if (found === undefined) return line;
    line = lineAt(found.key) ?? line;
    node = found.value;
  }
  return line;
}

/** `key` is where the step begins: the key in a map, the item itself in a list. */
function stepInto(node: unknown, step: string | number): { key: unknown; value: Node | unknown } | undefined {
  if (isMap(node)) return node.items.find(({ key }) => isScalar(key) && key.value === step);
  if (!isSeq(node) || typeof step !== 'number') return undefined;
  const item = node.items[step];
  return item === undefined ? undefined : { key: item, value: item };
}
