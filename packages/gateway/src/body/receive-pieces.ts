import { Rejection } from '@postern/schemas';
import { type BodyLimits, noMemory } from './receive-body.ts';
import { MEMORY_BODY_BYTES_MAX, type ReceivedBody } from './request-body.ts';
import { Spool } from './spool.ts';

/**
 * A stored body as one that was received: in memory, or spooled where it is large.
 *
 * @throws Rejection `request_too_large`, `overloaded`; what `pieces` throws
 */
export async function receivePieces(
  pieces: AsyncIterable<Uint8Array>,
  byteLength: number,
  limits: BodyLimits,
): Promise<ReceivedBody> {
  if (byteLength > limits.bytesMax) {
    throw new Rejection('request_too_large', `The body may have at most ${limits.bytesMax} bytes.`);
  }
  return byteLength > MEMORY_BODY_BYTES_MAX
    ? await spooled(pieces, byteLength, limits)
    : await inMemory(pieces, byteLength, limits);
}

async function inMemory(
  pieces: AsyncIterable<Uint8Array>,
  byteLength: number,
  { memory }: BodyLimits,
): Promise<ReceivedBody> {
  if (!memory.take(byteLength)) throw noMemory();
  try {
    const bytes = Buffer.alloc(byteLength);
    let position = 0;
    for await (const piece of pieces) {
      bytes.set(piece, position);
      position += piece.byteLength;
    }
    return { kind: 'bytes', bytes, memory };
  } catch (error) {
    memory.give(byteLength);
    throw error;
  }
}

async function spooled(
  pieces: AsyncIterable<Uint8Array>,
  byteLength: number,
  { spoolFolder }: BodyLimits,
): Promise<ReceivedBody> {
  const spool = await Spool.create(spoolFolder);
  try {
    for await (const piece of pieces) await spool.append(piece);
    return { kind: 'spooled', spool, byteLength };
  } catch (error) {
    spool.dispose();
    throw error;
  }
}
