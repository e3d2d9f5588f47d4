import type { AppliedCredential } from '../credential-kind.ts';
import { isHeaderText, SECRET_LENGTH_MIN } from '../secret-text.ts';
import { makeUnprintable } from '../unprintable.ts';

/** A head of a request has 32 KiB at most places. */
const TOKEN_LENGTH_MAX = 16_384;

/** Whether `value` is text that can go into a header as a token, and is long enough to be scrubbed from answers. */
export function isTokenText(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length >= SECRET_LENGTH_MIN &&
    value.length <= TOKEN_LENGTH_MAX &&
    isHeaderText(value) &&
    !value.includes(' ')
  );
}

/** What a minted token adds to a call (RFC 6750 section 2.1). */
export function applyToken(accessToken: string): AppliedCredential {
  const value = `Bearer ${accessToken}`;
  return makeUnprintable({ headers: [['authorization', value]], echoes: [value, accessToken] });
}
