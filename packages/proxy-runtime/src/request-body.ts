import { ProxyRefusal } from './proxy-refusal.ts';
import type { BodyStream } from './transport.ts';

/** A body as callers may give it; text is sent as UTF-8. */
export type RequestBody = Uint8Array | string | BodyStream;

/** The body to send, no longer than `bytesMax`. Throws `ProxyRefusal` `request_too_large`; a stream throws it while it is read. */
export function limitBody(body: RequestBody | undefined, bytesMax: number): Uint8Array | BodyStream | undefined {
  if (body === undefined) return undefined;
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) return limitStream(body, bytesMax);
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
  if (bytes.length > bytesMax) throw tooLarge(bytesMax);
  return bytes;
}

/** The chunk that would pass the limit is not sent. */
async function* limitStream(body: BodyStream, bytesMax: number): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > bytesMax) throw tooLarge(bytesMax);
    yield chunk;
  }
}

function tooLarge(bytesMax: number): ProxyRefusal {
  return new ProxyRefusal('request_too_large', `the request body is longer than ${bytesMax} bytes`);
}
