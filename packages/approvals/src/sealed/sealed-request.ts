import {
  decodeStoredHead,
  encodeStoredHead,
  PREFIX_BYTES,
  REQUEST_KIND,
  StoredFormError,
  storedHeadBytes,
} from './stored-form.ts';

/** All of a request that is sent later, but for its body and what the gateway adds. */
export interface SealedRequestHead {
  readonly method: string;
  /** Canonical. */
  readonly url: string;
  /** All that will be forwarded, as received and in that order. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** Null without a body. */
  readonly bodyBytes: number | null;
}

/** A complete request, in memory. `body` null: none. */
export interface SealedRequest extends Omit<SealedRequestHead, 'bodyBytes'> {
  readonly body: Uint8Array | null;
}

/** The bytes of a complete request, to be sealed. */
export function encodeSealedRequest(request: SealedRequest): Uint8Array {
  const head = encodeSealedRequestHead({ ...request, bodyBytes: request.body?.byteLength ?? null });
  return request.body === null ? head : Buffer.concat([head, request.body]);
}

/** The beginning of those bytes; exactly `bodyBytes` bytes of body must follow. For bodies that are not in memory. */
export function encodeSealedRequestHead({ method, url, headers, bodyBytes }: SealedRequestHead): Uint8Array {
  return encodeStoredHead(REQUEST_KIND, { lines: [method, url], headers, bodyBytes });
}

/** The request of bytes in memory; its body is a view of them. @throws StoredFormError */
export function decodeSealedRequest(bytes: Uint8Array): SealedRequest {
  const { bodyBytes, ...head } = readHead(bytes);
  const body = bytes.subarray(storedHeadBytes(REQUEST_KIND, bytes));
  if (body.length !== (bodyBytes ?? 0)) throw new StoredFormError('incomplete');
  return { ...head, body: bodyBytes === null ? null : body };
}

/** A request whose body is read as it is needed, once, from its beginning. */
export interface ReadSealedRequest extends SealedRequestHead {
  /** Fails with StoredFormError when fewer or more bytes come than the head says. Empty without a body. */
  readonly body: AsyncIterable<Uint8Array>;
}

/**
 * The request of bytes that come in pieces. Resolves as soon as the head is there.
 *
 * @throws StoredFormError, and what `pieces` throws
 */
export async function readSealedRequest(pieces: AsyncIterable<Uint8Array>): Promise<ReadSealedRequest> {
  const source = pieces[Symbol.asyncIterator]();
  let read: Uint8Array = new Uint8Array(0);
  const readTo = async (length: number) => {
    while (read.length < length) {
      const next = await source.next();
      if (next.done === true) throw new StoredFormError('incomplete');
      read = Buffer.concat([read, next.value]);
    }
  };
  try {
    await readTo(PREFIX_BYTES);
    const headBytes = storedHeadBytes(REQUEST_KIND, read);
    await readTo(headBytes);
    const head = readHead(read);
    return { ...head, body: readBody(read.subarray(headBytes), source, head.bodyBytes ?? 0) };
  } catch (error) {
    await source.return?.();
    throw error;
  }
}

async function* readBody(
  first: Uint8Array,
  source: AsyncIterator<Uint8Array>,
  bodyBytes: number,
): AsyncGenerator<Uint8Array> {
  let left = bodyBytes - first.length;
  try {
    if (left < 0) throw new StoredFormError('malformed');
    if (first.length > 0) yield first;
    for (let next = await source.next(); next.done !== true; next = await source.next()) {
      left -= next.value.length;
      if (left < 0) throw new StoredFormError('malformed');
      if (next.value.length > 0) yield next.value;
    }
    if (left > 0) throw new StoredFormError('incomplete');
  } finally {
    await source.return?.();
  }
}

function readHead(bytes: Uint8Array): SealedRequestHead {
  const { lines, headers, bodyBytes } = decodeStoredHead(REQUEST_KIND, bytes);
  const [method, url, ...others] = lines;
  if (method === undefined || url === undefined || others.length > 0) throw new StoredFormError('malformed');
  return { method, url, headers, bodyBytes };
}
