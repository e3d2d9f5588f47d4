import { Rejection } from '@postern/schemas';

/** Shorter ones could not be scrubbed from answers without hitting ordinary text. Counted in characters, not in UTF-16 units. */
export const SECRET_LENGTH_MIN = 8;

/** C0 and C1 controls and DEL. */
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;

/** What a header value may hold beside controls: RFC 9110 section 5.5, one byte a character. */
const BEYOND_LATIN1 = /[^\u0000-\u00ff]/;

export function hasControlCharacter(text: string): boolean {
  return CONTROL.test(text);
}

export function isHeaderText(text: string): boolean {
  return !CONTROL.test(text) && !BEYOND_LATIN1.test(text);
}

/**
 * Refuses a secret that no credential may carry: under 8 characters, with control characters (most often a line break at the end of a file),
 * or with half a surrogate pair.
 *
 * @throws Rejection `credential_unavailable`, without the secret.
 */
export function checkSecret(secretText: string): void {
  // A character has at most two UTF-16 units: only short texts need counting.
  const isShort = secretText.length < 2 * SECRET_LENGTH_MIN && Array.from(secretText).length < SECRET_LENGTH_MIN;
  if (isShort) throw unfit(`has fewer than ${SECRET_LENGTH_MIN} characters`);
  if (CONTROL.test(secretText)) throw unfit('holds a control character or a line break');
  if (!secretText.isWellFormed()) throw unfit('is not well-formed text');
}

/**
 * As `checkSecret`, and refuses what a header value cannot carry unchanged: characters beyond Latin-1, a space at either end.
 *
 * @throws Rejection `credential_unavailable`, without the secret.
 */
export function checkHeaderSecret(secretText: string): void {
  checkSecret(secretText);
  if (BEYOND_LATIN1.test(secretText)) throw unfit('holds a character that a header cannot carry');
  if (secretText.startsWith(' ') || secretText.endsWith(' ')) throw unfit('begins or ends with a space');
}

/** A refusal that says what is wrong with the secret, never the secret. */
export function unfit(fault: string): Rejection {
  return new Rejection('credential_unavailable', `The secret of the integration's credential ${fault}.`);
}
