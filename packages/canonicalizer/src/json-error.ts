/** Why a value or a text is not acceptable JSON. */
export type JsonErrorCode = 'syntax' | 'duplicate_key' | 'lone_surrogate' | 'number' | 'depth' | 'not_json';

/** Any value that JSON can carry. */
export type JsonValue = null | boolean | number | string | JsonValue[] | { [name: string]: JsonValue };

/**
 * Thrown by `canonicalJson` and `parseJsonStrict`. The message tells what was wrong and never repeats the text, which may hold
 * secrets; for the same reason V8's own syntax error is not kept as `cause`.
 */
export class JsonError extends Error {
  override readonly name = 'JsonError';
  readonly code: JsonErrorCode;

  constructor(code: JsonErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
