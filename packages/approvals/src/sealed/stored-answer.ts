import { ANSWER_KIND, decodeStoredHead, encodeStoredHead, StoredFormError, storedHeadBytes } from './stored-form.ts';

/** Specification, section 10: a longer body is not kept, and a re-send is told `replay_unavailable`. */
export const STORED_ANSWER_BODY_BYTES_MAX = 1_048_576;

/** An upstream's answer as it was passed on, for replay. */
export interface StoredAnswerForm {
  readonly status: number;
  /** Those that the header policy lets through, as passed on. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: Uint8Array;
}

/** The bytes of an answer, to be sealed. @throws TypeError for a status that is none, and for a body above the limit */
export function encodeStoredAnswer({ status, headers, body }: StoredAnswerForm): Uint8Array {
  if (!isStatus(status)) throw new TypeError('A stored status must be from 100 to 599.');
  if (body.byteLength > STORED_ANSWER_BODY_BYTES_MAX) throw new TypeError('The body is too long to be stored.');
  const head = encodeStoredHead(ANSWER_KIND, { lines: [String(status)], headers, bodyBytes: body.byteLength });
  return Buffer.concat([head, body]);
}

/** Its body is a view of `bytes`. @throws StoredFormError */
export function decodeStoredAnswer(bytes: Uint8Array): StoredAnswerForm {
  const { lines, headers, bodyBytes } = decodeStoredHead(ANSWER_KIND, bytes);
  const body = bytes.subarray(storedHeadBytes(ANSWER_KIND, bytes));
  const status = Number(lines[0]);
  if (lines.length !== 1 || !isStatus(status) || bodyBytes === null) throw new StoredFormError('malformed');
  if (body.length !== bodyBytes) throw new StoredFormError('incomplete');
  return { status, headers, body };
}

function isStatus(status: number): boolean {
  return Number.isInteger(status) && status >= 100 && status <= 599;
}
