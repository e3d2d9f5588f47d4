export type DescriptorErrorCode =
  | 'bad_method'
  | 'bad_header_name'
  | 'bad_header_value'
  | 'bad_volatile'
  | 'bad_body_digest';

const MESSAGES: Record<DescriptorErrorCode, string> = {
  bad_method: 'the method must be an upper-case HTTP method such as GET',
  bad_header_name: 'a header name is not a token',
  bad_header_value: 'a header value holds a control character or one beyond a byte',
  bad_volatile: "an action's volatile item must be a header name, or a prefix of one followed by *",
  bad_body_digest: 'the body digest must be sha-256: and 64 lower-case hexadecimal digits',
};

/** Thrown by `describeCall` for a call that has no canonical form. The message repeats nothing of the call. */
export class DescriptorError extends Error {
  override readonly name = 'DescriptorError';
  readonly code: DescriptorErrorCode;

  constructor(code: DescriptorErrorCode) {
    super(MESSAGES[code]);
    this.code = code;
  }
}
