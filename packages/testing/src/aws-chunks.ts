import { crc32 } from 'node:zlib';

/** A body in the form `aws-chunked` taken apart. */
export interface AwsChunks {
  readonly content: Buffer;
  /** Lower-case names. */
  readonly trailers: Readonly<Record<string, string>>;
}

/** Undefined when the bytes are not in that form: size in hexadecimal, CRLF, bytes, CRLF, …, a chunk of none, trailers, CRLF. */
export function readAwsChunks(body: Uint8Array): AwsChunks | undefined {
  const bytes = Buffer.from(body);
  const pieces: Buffer[] = [];
  let at = 0;
  for (;;) {
    const end = bytes.indexOf('\r\n', at);
    const digits = end < 0 ? '' : bytes.toString('latin1', at, end);
    if (!/^[0-9a-f]+$/i.test(digits)) return undefined;
    const size = Number.parseInt(digits, 16);
    at = end + 2;
    if (size === 0) break;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
    if (bytes.toString('latin1', at, at + 2) !== '\r\n') return undefined;
    at += 2;
  }
  const rest = bytes.toString('latin1', at);
  if (!rest.endsWith('\r\n')) return undefined;
  const lines = rest.split('\r\n').filter((line) => line !== '');
  const trailers = Object.fromEntries(lines.map((line) => line.split(/: */, 2) as [string, string]));
  return { content: Buffer.concat(pieces), trailers };
}

/** The value of `x-amz-checksum-crc32`. */
export function crc32Base64(content: Uint8Array): string {
  const digest = Buffer.alloc(4);
  digest.writeUInt32BE(crc32(content));
  return digest.toString('base64');
}
