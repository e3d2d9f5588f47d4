import { Rejection } from '@postern/schemas';
import { AGENT_KEY_PREFIX, isAgentKey } from './agent-key.ts';

/** The headers that may hold an agent key, in the order in which they are looked at. */
export const AGENT_KEY_SOURCES = [
  'postern-key',
  'proxy-authorization',
  'authorization',
  'x-api-key',
  'api-key',
  'x-goog-api-key',
  'private-token',
] as const;

export type AgentKeySource = (typeof AGENT_KEY_SOURCES)[number];

/** The same names for look-ups: none of these headers is ever forwarded, whatever it holds. */
export const AGENT_KEY_HEADERS: ReadonlySet<string> = new Set(AGENT_KEY_SOURCES);

/**
 * `found`: one agent key of right format and checksum. `malformed`: none, but a value that begins as one (a typing error, a cut copy).
 * `absent`: nothing that resembles one. The last two are both 401; they differ in what the caller is told.
 */
export type AgentKeyExtraction =
  | { readonly kind: 'found'; readonly key: string; readonly source: AgentKeySource }
  | { readonly kind: 'malformed'; readonly source: AgentKeySource }
  | { readonly kind: 'absent' };

const ABSENT: AgentKeyExtraction = { kind: 'absent' };

/**
 * Looks for the agent key in a flat list `[name, value, name, value, …]` as `rawHeaders` of `node:http`. `source` is the first place, in the
 * order of `AGENT_KEY_SOURCES`, that holds it. Values in these headers that are no agent key are passed over.
 *
 * `isVerified` may vouch for a text that was found to be an agent key before, which saves computing its checksum again.
 *
 * @throws Rejection `malformed_request` when the headers hold two different agent keys.
 */
export function extractAgentKey(
  rawHeaders: readonly string[],
  isVerified: (text: string) => boolean = isAgentKey,
): AgentKeyExtraction {
  const found: Findings = { key: undefined, keyRank: 0, malformedRank: -1, isVerified };
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const rank = rankOf(rawHeaders[index] ?? '');
    if (rank >= 0) readValue(rank, rawHeaders[index + 1] ?? '', found);
  }
  if (found.key !== undefined)
    return { kind: 'found', key: found.key, source: AGENT_KEY_SOURCES[found.keyRank] ?? 'postern-key' };
  const malformedSource = AGENT_KEY_SOURCES[found.malformedRank];
  return malformedSource === undefined ? ABSENT : { kind: 'malformed', source: malformedSource };
}

interface Findings {
  key: string | undefined;
  /** Index in `AGENT_KEY_SOURCES` of the first place that holds the key. */
  keyRank: number;
  /** The same for a value that only begins as a key, or -1. */
  malformedRank: number;
  readonly isVerified: (text: string) => boolean;
}

const PROXY_AUTHORIZATION = AGENT_KEY_SOURCES.indexOf('proxy-authorization');
const AUTHORIZATION = AGENT_KEY_SOURCES.indexOf('authorization');

function readValue(rank: number, value: string, found: Findings): void {
  const space = rank === AUTHORIZATION || rank === PROXY_AUTHORIZATION ? value.indexOf(' ') : -1;
  if (space < 0) {
    if (rank !== PROXY_AUTHORIZATION) consider(value, rank, found);
    return;
  }
  // RFC 9110 section 11.4: the scheme ignores case, one or more spaces follow.
  const rest = value.slice(space + 1).trimStart();
  if (isName(value, space, 'basic')) considerBasic(rest, rank, found);
  else if (isName(value, space, 'bearer')) consider(rest, rank, found);
  else if (isName(value, space, 'token') && rank === AUTHORIZATION) consider(rest, rank, found);
}

/** RFC 7617: the part before the first colon is the user, all after it the password. */
function considerBasic(base64: string, rank: number, found: Findings): void {
  const text = Buffer.from(base64, 'base64').toString('latin1');
  const colon = text.indexOf(':');
  consider(colon < 0 ? text : text.slice(0, colon), rank, found);
  if (colon >= 0) consider(text.slice(colon + 1), rank, found);
}

function consider(text: string, rank: number, found: Findings): void {
  if (!text.startsWith(AGENT_KEY_PREFIX)) return;
  if (!found.isVerified(text) && !isAgentKey(text)) {
    if (found.malformedRank < 0 || rank < found.malformedRank) found.malformedRank = rank;
    return;
  }
  if (found.key === undefined) {
    found.key = text;
    found.keyRank = rank;
    return;
  }
  if (found.key !== text) throw new Rejection('malformed_request', 'The call carries two different agent keys.');
  if (rank < found.keyRank) found.keyRank = rank;
}

/** Ranks by the length of the name: most headers of a call are passed over by their length alone. */
const RANKS_BY_LENGTH: readonly (readonly number[] | undefined)[] = Array.from({ length: 20 }, (_, length) => {
  const ranks = AGENT_KEY_SOURCES.flatMap((name, rank) => (name.length === length ? [rank] : []));
  return ranks.length > 0 ? ranks : undefined;
});

function rankOf(name: string): number {
  const ranks = RANKS_BY_LENGTH[name.length];
  if (ranks === undefined) return -1;
  for (const rank of ranks) {
    if (isName(name, name.length, AGENT_KEY_SOURCES[rank] ?? '')) return rank;
  }
  return -1;
}

/** Whether the first `length` characters of `text` are `name` (lower-case letters and dashes), case ignored, without making a string. */
function isName(text: string, length: number, name: string): boolean {
  if (length !== name.length) return false;
  for (let index = 0; index < length; index++) {
    const code = text.charCodeAt(index);
    const lower = code >= 0x41 && code <= 0x5a ? code | 0x20 : code;
    if (lower !== name.charCodeAt(index)) return false;
  }
  return true;
}
