import { UNSEEN_CHARACTERS } from '@postern/schemas';
import { isSecretName, MASK, maskSecrets } from './mask-secrets.ts';

/** Specification, section 8. */
export const EXCERPT_CHARACTERS_MAX = 500;

/** What a scorer is shown of a call. No header: credentials live there. */
export interface ShownCall {
  readonly method: string;
  /** Canonical, without query. */
  readonly path: string;
  /** As on the wire, without `?`. */
  readonly query: string;
  /** Its value as JSON or form, or why there is none to look at. */
  readonly body: { readonly value: unknown } | { readonly unseen: string } | undefined;
}

const PATH_CHARACTERS_MAX = 160;
/** Of a long text beginning and end are shown: that what matters comes last is the oldest of tricks. */
const HEAD_CHARACTERS = 80;
const TAIL_CHARACTERS = 40;
/** So much of either end is searched for secrets, however long the text is. */
const SEARCHED_CHARACTERS = 1_000;
const DEPTH_MAX = 8;

/**
 * Method, path and arguments as JSON on one line of at most 500 characters. What looks like a secret is masked, characters that cannot be
 * seen are written out, long texts lose their middle and long lists their end; `…` tells where. Takes time by what is shown, not by what
 * was sent.
 */
export function excerptCall({ method, path, query, body }: ShownCall): string {
  const shownPath = harmless(shorten(maskSecrets(path), PATH_CHARACTERS_MAX - TAIL_CHARACTERS, TAIL_CHARACTERS));
  const writer = new BoundedWriter(EXCERPT_CHARACTERS_MAX - 1);
  writer.write(`${method} ${shownPath} {`);
  if (query !== '') {
    writer.write('"query":');
    writeValue(writer, queryOf(query), 0);
    if (body !== undefined) writer.write(',');
  }
  if (body !== undefined) {
    writer.write('"body":');
    if ('unseen' in body) writer.write(JSON.stringify(body.unseen));
    else writeValue(writer, body.value, 0);
  }
  writer.write('}');
  return writer.text();
}

/** Takes text until there is no more room, then only `…`. */
class BoundedWriter {
  #text = '';
  #left: number;
  #isFull = false;

  constructor(room: number) {
    this.#left = room;
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  /** `text`: harmless already. */
  write(text: string): void {
    if (this.#isFull) return;
    const taken = text.length <= this.#left ? text : whole(text.slice(0, this.#left));
    this.#text += taken;
    this.#left -= taken.length;
    if (taken.length < text.length) this.#isFull = true;
  }

  text(): string {
    return this.#isFull ? `${this.#text}…` : this.#text;
  }
}

function writeValue(writer: BoundedWriter, value: unknown, depth: number): void {
  if (typeof value === 'string') writer.write(quoted(value));
  else if (typeof value !== 'object' || value === null) writer.write(JSON.stringify(value) ?? 'null');
  else if (depth >= DEPTH_MAX) writer.write('…');
  else if (Array.isArray(value)) writeList(writer, value, depth + 1);
  else writeMembers(writer, value as Readonly<Record<string, unknown>>, depth + 1);
}

function writeList(writer: BoundedWriter, list: readonly unknown[], depth: number): void {
  writer.write('[');
  for (let place = 0; place < list.length && !writer.isFull; place += 1) {
    if (place > 0) writer.write(',');
    writeValue(writer, list[place], depth);
  }
  writer.write(']');
}

function writeMembers(writer: BoundedWriter, members: Readonly<Record<string, unknown>>, depth: number): void {
  let mark = '{';
  for (const name in members) {
    if (writer.isFull) return;
    if (!Object.hasOwn(members, name)) continue;
    writer.write(`${mark}${quoted(name)}:`);
    mark = ',';
    if (isSecretName(name)) writer.write(`"${MASK}"`);
    else writeValue(writer, members[name], depth);
  }
  writer.write(mark === '{' ? '{}' : '}');
}

function quoted(text: string): string {
  const ends =
    text.length <= 2 * SEARCHED_CHARACTERS
      ? maskSecrets(text)
      : `${maskSecrets(text.slice(0, SEARCHED_CHARACTERS))}…${maskSecrets(text.slice(-SEARCHED_CHARACTERS))}`;
  return harmless(JSON.stringify(shorten(ends, HEAD_CHARACTERS, TAIL_CHARACTERS)));
}

function shorten(text: string, head: number, tail: number): string {
  if (text.length <= head + tail + 1) return text;
  return `${whole(text.slice(0, head))}…${whole(text.slice(-tail))}`;
}

/** Without the half of a surrogate pair at either end that a cut has left. */
function whole(text: string): string {
  return text.replace(/^[\udc00-\udfff]|[\ud800-\udbff]$/g, '');
}

/** What is not seen, or moves what is, is written out. */
function harmless(text: string): string {
  return text.replace(UNSEEN_CHARACTERS, (character) => {
    return `\\u{${(character.codePointAt(0) as number).toString(16)}}`;
  });
}

/** By name the values, decoded leniently: it is looked at, not judged by. */
function queryOf(query: string): Record<string, string[]> {
  const byName: Record<string, string[]> = Object.create(null) as Record<string, string[]>;
  for (const [name, value] of new URLSearchParams(query)) {
    const known = byName[name];
    if (known === undefined) byName[name] = [value];
    else known.push(value);
  }
  return byName;
}
