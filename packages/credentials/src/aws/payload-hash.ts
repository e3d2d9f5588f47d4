import { unsignable } from '../unsignable.ts';

/** Services that read the hash of the body from `x-amz-content-sha256`, and take the path as it is. */
const S3_LIKE: ReadonlySet<string> = new Set(['s3', 's3-object-lambda', 's3-outposts', 's3express']);

export function isS3Like(service: string): boolean {
  return S3_LIKE.has(service);
}

/** A body in aws-chunked form whose chunks carry no signature: it can be sent on as it is. */
const UNSIGNED_CHUNKS = 'STREAMING-UNSIGNED-PAYLOAD-TRAILER';
const UNSIGNED = 'UNSIGNED-PAYLOAD';
/** `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`, `…-TRAILER`, `…ECDSA…`: each chunk is signed with the key the client was given. */
const SIGNED_CHUNKS = /^STREAMING-AWS4-/i;

/**
 * Refuses bodies in signed chunks: their signatures are by a key that the upstream does not know, and lie inside the body that was judged.
 *
 * @throws Rejection `target_invalid`.
 */
export function checkPayloadForm(rawHeaders: readonly string[]): void {
  const given = findPayloadWord(rawHeaders);
  if (given === undefined || !SIGNED_CHUNKS.test(given)) return;
  throw unsignable(
    `its body is in chunks that the SDK has signed (${given.toUpperCase().slice(0, 64)}); switch the signing of chunks off in the SDK, or send the body unchunked`,
  );
}

/** What stands for the body in the signature. */
export function payloadHash(
  service: string,
  rawHeaders: readonly string[],
  bodySha256: () => string | undefined,
): string {
  if (isS3Like(service) && findPayloadWord(rawHeaders)?.toUpperCase() === UNSIGNED_CHUNKS) return UNSIGNED_CHUNKS;
  const digest = bodySha256();
  if (digest !== undefined) return digest;
  if (isS3Like(service)) return UNSIGNED;
  throw unsignable('the signature is over the body, and this body passes unread');
}

/** The client's `x-amz-content-sha256`. */
export function findPayloadWord(rawHeaders: readonly string[]): string | undefined {
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (name.length === 20 && name.toLowerCase() === 'x-amz-content-sha256')
      return (rawHeaders[i + 1] as string).trim();
  }
  return undefined;
}
