/** An HTTP/1.1 answer as far as a load generator must understand it. */
export interface Answer {
  readonly status: number;
  readonly bodyBytes: number;
}

const HEAD_END = '\r\n\r\n';
const CONTENT_LENGTH = /\r\ncontent-length: *(\d+)/i;
const CHUNKED = /\r\ntransfer-encoding: *chunked/i;

/** The answer that `bytes` are, undefined while it is not complete. An answer that only the connection's end ends is an error. */
export function readAnswer(bytes: Buffer): Answer | undefined {
  const headEnd = bytes.indexOf(HEAD_END);
  if (headEnd < 0) return undefined;
  const head = bytes.toString('latin1', 0, headEnd);
  const status = Number(head.slice(9, 12));
  const bodyStart = headEnd + HEAD_END.length;
  const length = CONTENT_LENGTH.exec(head)?.[1];
  if (length !== undefined) {
    const bodyBytes = Number(length);
    return bytes.length >= bodyStart + bodyBytes ? { status, bodyBytes } : undefined;
  }
  if (!CHUNKED.test(head)) throw new Error(`an answer without a length: ${head.split('\r\n', 1)[0]}`);
  const bodyBytes = chunkedBytes(bytes, bodyStart);
  return bodyBytes === undefined ? undefined : { status, bodyBytes };
}

/** Body bytes of a complete chunked body without trailers. */
function chunkedBytes(bytes: Buffer, start: number): number | undefined {
  let bodyBytes = 0;
  for (let position = start; ; ) {
    const lineEnd = bytes.indexOf('\r\n', position);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', position, lineEnd), 16);
    position = lineEnd + 2 + size + 2;
    if (position > bytes.length) return undefined;
    if (size === 0) return bodyBytes;
    bodyBytes += size;
  }
}
