/** Why a URL or a request target is not acceptable. All of them are `target_invalid` to the caller. */
const MESSAGES = {
  not_absolute: 'the URL must begin with http:// or https://, a path with "/"',
  too_long: 'the URL is longer than 8,192 bytes',
  bad_scheme: "the scheme must be http or https and the base URL's",
  bad_host: 'the host is not valid or not one that the integration lists',
  bad_port: "the port is not valid or not one of the integration's",
  userinfo: 'the URL must not hold a user name or password',
  fragment: 'the URL must not hold a fragment (#)',
  control_character: 'the URL holds a control character',
  raw_backslash: 'the URL holds a raw backslash; write %5C if it is meant',
  raw_space: 'the URL holds a raw space; write %20',
  non_ascii: 'the request target holds a character outside ASCII; percent-encode it as UTF-8',
  lone_surrogate: 'the URL holds a lone surrogate',
  bad_percent_encoding: 'the URL holds a "%" without two hexadecimal digits, or an overlong UTF-8 form',
  dot_segment_encoded: 'the path would hold a dot segment if an upstream decoded it or dropped path parameters',
  outside_base: 'the path lies outside the base URL',
  bad_base: 'the base URL must have neither query nor fragment',
} as const;

export type CanonicalUrlErrorCode = keyof typeof MESSAGES;

/** Thrown for a target that is refused. The message never repeats the URL, which may hold secrets. */
export class CanonicalUrlError extends Error {
  override readonly name = 'CanonicalUrlError';
  readonly code: CanonicalUrlErrorCode;

  constructor(code: CanonicalUrlErrorCode) {
    super(MESSAGES[code]);
    this.code = code;
  }
}
