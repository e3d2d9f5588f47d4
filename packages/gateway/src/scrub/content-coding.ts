/** How a body is encoded, of what can be searched; `unknown`: it cannot be. */
export type ContentCoding = 'identity' | 'gzip' | 'deflate' | 'br' | 'zstd' | 'unknown';

const CODINGS: ReadonlyMap<string, ContentCoding> = new Map([
  // RFC 9110 section 8.4.1.3.
  ['x-gzip', 'gzip'],
  ['gzip', 'gzip'],
  ['deflate', 'deflate'],
  ['br', 'br'],
  ['zstd', 'zstd'],
]);

/**
 * The coding of an answer's body (RFC 9110 section 8.4; `headers`: flat pairs). Several codings one over the other are `unknown`, and
 * so is a transfer coding other than `chunked`, which the gateway never asks for.
 */
export function contentCoding(headers: readonly string[]): ContentCoding {
  let coding: ContentCoding = 'identity';
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const { length } = headers[i] as string;
    if (length !== 16 && length !== 17) continue;
    const name = (headers[i] as string).toLowerCase();
    const value = headers[i + 1] as string;
    if (name === 'transfer-encoding' && value.trim().toLowerCase() !== 'chunked') return 'unknown';
    if (name !== 'content-encoding') continue;
    for (const part of value.split(',')) {
      const word = part.trim().toLowerCase();
      if (word === '' || word === 'identity') continue;
      coding = coding === 'identity' ? (CODINGS.get(word) ?? 'unknown') : 'unknown';
    }
  }
  return coding;
}

const ACCEPTED = ['gzip', 'deflate', 'br', 'zstd'];

/**
 * Leaves in a request's `accept-encoding` what can be searched, in place: nothing else is asked for. `*` becomes the codings that it
 * stands for. `headers`: flat pairs.
 */
export function narrowAcceptEncoding(headers: string[]): void {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length !== 15 || name.toLowerCase() !== 'accept-encoding') continue;
    headers[i + 1] = narrowed(headers[i + 1] as string);
  }
}

/** By what clients send; theirs to choose, so bounded. */
const known = new Map<string, string>();
const KNOWN_MAX = 256;

function narrowed(value: string): string {
  const before = known.get(value);
  if (before !== undefined) return before;
  const given = value.split(',').map((part) => part.trim());
  const names = given.map(codingName);
  const kept = given.flatMap((part, index) => {
    const name = names[index] as string;
    if (name === 'identity' || CODINGS.has(name)) return [part];
    if (name !== '*') return [];
    const rest = ACCEPTED.filter((coding) => !names.includes(coding));
    return rest.map((coding) => coding + part.slice(1));
  });
  const result = kept.length === 0 ? 'identity' : kept.join(', ');
  if (known.size < KNOWN_MAX) known.set(value, result);
  return result;
}

function codingName(part: string): string {
  return (part.split(';', 1)[0] as string).trim().toLowerCase();
}
