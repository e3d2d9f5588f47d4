import { timingSafeEqual } from 'node:crypto';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { type RandomBytes, systemRandom } from './random-bytes.ts';
import { VaultError } from './vault-error.ts';

/** Master keys by id, 32 bytes each. `active` names the one that seals; all of them open. */
export interface KeyRing {
  readonly active: string;
  readonly keys: Readonly<Record<string, Uint8Array>>;
}

export const MASTER_KEY_BYTES = 32;

/** Shorter than any base64 of a key, so that a key in the place of an id is never taken for one. */
const KEY_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/;

const KEYS_MAX = 128;

/**
 * Reads `id:base64,id2:base64` (`POSTERN_MASTER_KEY` and the files of that form): 32 bytes each in standard base64 with padding; the first
 * seals, all open. White space around entries is ignored.
 *
 * @throws VaultError `invalid_key_ring`. It tells the position of the faulty entry and never repeats the text.
 */
export function parseKeyRing(text: string): KeyRing {
  const keys: Record<string, Uint8Array> = {};
  let active: string | undefined;
  for (const [index, entry] of text.split(',').entries()) {
    const { id, key } = parseEntry(entry.trim(), `Key ${index + 1}`);
    if (Object.hasOwn(keys, id))
      throw invalid(`Key ${index + 1} has the id of an earlier key; every key needs its own id.`);
    keys[id] = key;
    active ??= id;
  }
  const keyRing = { active: active ?? '', keys };
  checkKeyRing(keyRing);
  return keyRing;
}

function parseEntry(entry: string, label: string): { id: string; key: Uint8Array } {
  if (entry === '') throw invalid(`${label} is empty; expected id:base64.`);
  const colon = entry.indexOf(':');
  if (colon < 0) throw invalid(`${label} has no colon; expected id:base64.`);
  const id = entry.slice(0, colon);
  if (!KEY_ID.test(id)) {
    throw invalid(
      `${label} has an unusable id; expected 1 to 32 letters, digits, dots, dashes or underscores before the colon.`,
    );
  }
  const key = decodeBase64(entry.slice(colon + 1));
  if (key === undefined) throw invalid(`${label} is not standard base64 with padding after the colon.`);
  if (key.length !== MASTER_KEY_BYTES) throw invalid(`${label} has ${key.length} bytes; expected ${MASTER_KEY_BYTES}.`);
  return { id, key };
}

/**
 * Refuses a ring that cannot be used: no active key, a key of another length than 32 bytes, the same bytes under two ids.
 *
 * @throws VaultError `invalid_key_ring`.
 */
export function checkKeyRing(keyRing: KeyRing): void {
  const entries = Object.entries(keyRing.keys);
  if (entries.length > KEYS_MAX)
    throw invalid(`The key ring has ${entries.length} keys; at most ${KEYS_MAX} are possible.`);
  for (const [index, [id, key]] of entries.entries()) {
    if (!KEY_ID.test(id)) throw invalid(`Key ${index + 1} of the ring has an unusable id.`);
    if (!(key instanceof Uint8Array) || key.length !== MASTER_KEY_BYTES) {
      throw invalid(`Key ${index + 1} of the ring is not an array of ${MASTER_KEY_BYTES} bytes.`);
    }
    // A rotation onto the same bytes would look done and change nothing.
    const twin = entries.slice(0, index).findIndex(([, earlier]) => timingSafeEqual(earlier, key));
    if (twin >= 0) throw invalid(`Key ${index + 1} has the same bytes as key ${twin + 1}.`);
  }
  if (!Object.hasOwn(keyRing.keys, keyRing.active)) throw invalid('The active key is not in the ring.');
}

/** A new master key in the form that `parseKeyRing` reads, with a random id (`k-` and 8 hexadecimal digits). */
export function generateMasterKey(random: RandomBytes = systemRandom): string {
  const id = `k-${Buffer.from(random(4)).toString('hex')}`;
  const key = random(MASTER_KEY_BYTES);
  const text = `${id}:${encodeBase64(key)}`;
  key.fill(0);
  return text;
}

function invalid(message: string): VaultError {
  return new VaultError('invalid_key_ring', message);
}
