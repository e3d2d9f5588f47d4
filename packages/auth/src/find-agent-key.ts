import { AGENT_KEY_LENGTH, AGENT_KEY_PREFIX, fitsAgentKeyAt, isAgentKey } from './agent-key.ts';
import { AGENT_KEY_HEADERS } from './extract-agent-key.ts';

/** The prefix with at least one character percent-encoded or none; which of them does not matter. */
const ENCODED_PREFIX = /(?:p|%70)(?:s|%73)(?:t|%74)(?:_|%5[fF])/g;

/**
 * Whether an agent key of right format and checksum stands anywhere in `text`, plainly or with any of its characters percent-encoded once.
 * Bytes are read as one character each. Linear in the length; text without `pst_` and without `%` costs two searches.
 */
export function findAgentKeyText(text: string | Uint8Array): boolean {
  if (text.length < AGENT_KEY_LENGTH) return false;
  if (typeof text === 'string') return findInString(text);
  const bytes = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
  // Bodies without either are the rule, and then no string is made of them.
  if (!bytes.includes(AGENT_KEY_PREFIX, 0, 'latin1') && !bytes.includes(0x25)) return false;
  return findInString(bytes.toString('latin1'));
}

/**
 * Whether an agent key stands in a header name or value of a flat list `[name, value, …]`, the places where it belongs (`AGENT_KEY_HEADERS`)
 * left out.
 */
export function findAgentKeyInHeaders(rawHeaders: readonly string[]): boolean {
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    const value = rawHeaders[index + 1] ?? '';
    // The length first: few headers are long enough to hold a key, and the one that is in every call is in its place.
    if (value.length >= AGENT_KEY_LENGTH && !AGENT_KEY_HEADERS.has(name.toLowerCase()) && findInString(value))
      return true;
    if (name.length >= AGENT_KEY_LENGTH && findInString(name)) return true;
  }
  return false;
}

function findInString(text: string): boolean {
  if (text.includes('%')) {
    for (const match of text.matchAll(ENCODED_PREFIX)) {
      if (isAgentKey(decodeFrom(text, match.index))) return true;
    }
    return false;
  }
  for (let start = text.indexOf(AGENT_KEY_PREFIX); start >= 0; start = text.indexOf(AGENT_KEY_PREFIX, start + 1)) {
    if (isAgentKey(text.slice(start, start + AGENT_KEY_LENGTH))) return true;
  }
  return false;
}

/**
 * What stands from `start`, each character percent-encoded or plain, up to the length of an agent key or the first character that cannot be
 * part of one. Stopping there keeps the whole search linear: two candidates share only a few characters.
 */
function decodeFrom(text: string, start: number): string {
  let decoded = '';
  let index = start;
  while (decoded.length < AGENT_KEY_LENGTH && index < text.length) {
    const isEncoded = text.charCodeAt(index) === 0x25;
    const code = isEncoded ? Number.parseInt(text.slice(index + 1, index + 3), 16) : text.charCodeAt(index);
    if (!fitsAgentKeyAt(decoded.length, code)) break;
    decoded += String.fromCharCode(code);
    index += isEncoded ? 3 : 1;
  }
  return decoded;
}
