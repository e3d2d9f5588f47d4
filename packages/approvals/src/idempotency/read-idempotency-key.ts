/** Specification, section 10. */
export const IDEMPOTENCY_KEY_LENGTH_MAX = 255;

export type IdempotencyKeyFault =
  | 'empty'
  | 'too_long'
  /** A character that is not visible ASCII (0x21 to 0x7e), a space too. */
  | 'not_visible_ascii'
  /** It begins as a structured-field string and is none. */
  | 'malformed'
  /** The field came more than once. */
  | 'repeated';

/** `message` may be shown to the caller and never holds the key. */
export class IdempotencyKeyError extends Error {
  override readonly name = 'IdempotencyKeyError';
  readonly fault: IdempotencyKeyFault;

  constructor(fault: IdempotencyKeyFault) {
    super(MESSAGES[fault]);
    this.fault = fault;
  }
}

const MESSAGES: Readonly<Record<IdempotencyKeyFault, string>> = {
  empty: 'the idempotency key is empty',
  too_long: `the idempotency key has more than ${IDEMPOTENCY_KEY_LENGTH_MAX} characters`,
  not_visible_ascii: 'the idempotency key has a character that is not visible ASCII',
  malformed: 'the idempotency key begins with a quotation mark and is no structured-field string',
  repeated: 'the idempotency key came more than once',
};

/** RFC 8941 section 3.3.3, without the quotation marks. */
const STRING = /^"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"/;
/** RFC 8941 section 3.1.2: parameters, which mean nothing here; bare items of section 3.3, numbers and tokens by their characters. */
const PARAMETERS =
  /^(?:; *[a-z*][a-z0-9_.*-]*(?:=(?:"(?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"|:[A-Za-z0-9+/=]*:|\?[01]|[A-Za-z0-9*.-][A-Za-z0-9!#$%&'*+.^_`|~:/-]*))?)*$/;

/**
 * The key that an `Idempotency-Key` field names: `abc` and `"abc"` are the same one. `values`: the field's values as received, one a field
 * line.
 *
 * @throws IdempotencyKeyError
 */
export function readIdempotencyKey(values: string | readonly string[]): string {
  const [written, ...others] = typeof values === 'string' ? [values] : values;
  if (others.length > 0) throw new IdempotencyKeyError('repeated');
  const value = trimSpace(written ?? '');
  return checkIdempotencyKey(value.startsWith('"') ? readString(value) : value);
}

/**
 * A key as it is, from the member of a JSON body: 1 to 255 visible ASCII characters.
 *
 * @throws IdempotencyKeyError
 */
export function checkIdempotencyKey(key: string): string {
  if (key === '') throw new IdempotencyKeyError('empty');
  if (!/^[\x21-\x7e]*$/.test(key)) throw new IdempotencyKeyError('not_visible_ascii');
  if (key.length > IDEMPOTENCY_KEY_LENGTH_MAX) throw new IdempotencyKeyError('too_long');
  return key;
}

/** Spaces and tabs around a field's value (RFC 9110 section 5.5). No pattern: one that looks for the last run tries each run before it. */
function trimSpace(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isSpace(text.charCodeAt(start))) start += 1;
  while (end > start && isSpace(text.charCodeAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

function readString(value: string): string {
  const match = STRING.exec(value);
  if (match === null || !PARAMETERS.test(value.slice(match[0].length))) {
    throw new IdempotencyKeyError(/[^\x20-\x7e]/.test(value) ? 'not_visible_ascii' : 'malformed');
  }
  return (match[1] ?? '').replace(/\\(.)/g, '$1');
}
