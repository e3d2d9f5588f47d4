import { Readable } from 'node:stream';
import type { BodyStream, OutgoingRequest } from './transport.ts';

/** Told when the reading of a body fails: the error that comes of it is not the upstream's. */
export interface BodyOwner {
  onBodyBroken(): void;
}

/** The body of one attempt. Throws what the function that makes it throws. */
export function openBody(body: OutgoingRequest['body'], owner: BodyOwner): Uint8Array | BodyStream | undefined {
  if (body === undefined || body instanceof Uint8Array) return body;
  const stream = typeof body === 'function' ? body() : body;
  if (!(stream instanceof Readable)) return watch(stream, owner);
  stream.once('error', () => owner.onBodyBroken());
  return stream;
}

async function* watch(stream: BodyStream, owner: BodyOwner): AsyncGenerator<Uint8Array> {
  try {
    // Leaving early leaves the inner stream too.
    yield* stream;
  } catch (error) {
    owner.onBodyBroken();
    throw error;
  }
}
