import { base62Value } from './base62.ts';
import { CHECKSUM_LENGTH, endsAsKeyText, makeKeyText, SECRET_LENGTH, toInteger } from './key-text.ts';
import { type RandomBytes, systemRandom } from './random-bytes.ts';

/** An agent key, `pst_{publicId}_{secret}{checksum}`: 10, 43 and 6 characters. `publicId` names it in stores and logs; `key` is the secret. */
export interface AgentKey {
  readonly publicId: string;
  readonly key: string;
}

export const AGENT_KEY_PREFIX = 'pst_';
const PUBLIC_ID_LENGTH = 10;
const PUBLIC_ID_END = AGENT_KEY_PREFIX.length + PUBLIC_ID_LENGTH;
export const AGENT_KEY_LENGTH = PUBLIC_ID_END + 1 + SECRET_LENGTH + CHECKSUM_LENGTH;

/** A new agent key. `key` is told to its owner once and never stored; what is stored is its digest. */
export function generateAgentKey(random: RandomBytes = systemRandom): AgentKey {
  // 128 bits reduced to 36^10 (about 52 bits): the bias is below 2^-76.
  const publicId = (toInteger(random(16)) % 36n ** BigInt(PUBLIC_ID_LENGTH))
    .toString(36)
    .padStart(PUBLIC_ID_LENGTH, '0');
  return { publicId, key: makeKeyText(`${AGENT_KEY_PREFIX}${publicId}_`, random) };
}

/** The parts of an agent key, or `undefined` when `text` is not exactly one: other length, other characters, wrong checksum. */
export function parseAgentKey(text: string): AgentKey | undefined {
  return isAgentKey(text) ? { publicId: publicIdOf(text), key: text } : undefined;
}

/** The public id of a text that is known to be an agent key. */
export function publicIdOf(key: string): string {
  return key.slice(AGENT_KEY_PREFIX.length, PUBLIC_ID_END);
}

/** True when `text` is exactly one agent key of the right format and checksum. Says nothing on whether such a key was ever given out. */
export function isAgentKey(text: string): boolean {
  if (text.length !== AGENT_KEY_LENGTH || !text.startsWith(AGENT_KEY_PREFIX)) return false;
  for (let index = AGENT_KEY_PREFIX.length; index < PUBLIC_ID_END; index++) {
    if (!isLowerCaseOrDigit(text.charCodeAt(index))) return false;
  }
  return text.charCodeAt(PUBLIC_ID_END) === 0x5f && endsAsKeyText(text, PUBLIC_ID_END + 1);
}

/** Whether a character of this code may stand at this position, from 0, of an agent key. */
export function fitsAgentKeyAt(position: number, code: number): boolean {
  if (position < AGENT_KEY_PREFIX.length) return code === AGENT_KEY_PREFIX.charCodeAt(position);
  if (position < PUBLIC_ID_END) return isLowerCaseOrDigit(code);
  return position === PUBLIC_ID_END ? code === 0x5f : base62Value(code) >= 0;
}

function isLowerCaseOrDigit(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x30 && code <= 0x39);
}
