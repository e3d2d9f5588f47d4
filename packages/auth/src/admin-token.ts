import { endsAsKeyText, makeKeyText } from './key-text.ts';
import { type RandomBytes, systemRandom } from './random-bytes.ts';

export const ADMIN_TOKEN_PREFIX = 'psa_';

/** A new administrator's token, `psa_{secret}{checksum}`: 43 and 6 characters. Told once; what is stored is its digest. */
export function generateAdminToken(random: RandomBytes = systemRandom): string {
  return makeKeyText(ADMIN_TOKEN_PREFIX, random);
}

/** True when `text` is exactly one administrator's token of the right format and checksum. No agent key is one. */
export function isAdminToken(text: string): boolean {
  return text.startsWith(ADMIN_TOKEN_PREFIX) && endsAsKeyText(text, ADMIN_TOKEN_PREFIX.length);
}
