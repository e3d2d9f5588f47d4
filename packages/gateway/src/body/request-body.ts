import type { BodyMemory } from './body-memory.ts';
import type { Spool } from './spool.ts';
import type { StreamedBody } from './streamed-body.ts';

/** A request body that has been received whole, or none. */
export type ReceivedBody =
  | { readonly kind: 'none' }
  /** `memory`: where the bytes were taken from, to be given back at the end. */
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array; readonly memory?: BodyMemory | undefined }
  | { readonly kind: 'spooled'; readonly spool: Spool; readonly byteLength: number };

/** Or one of an action with `body: stream`, which passes as it comes and which nobody has looked into. */
export type RequestBody = ReceivedBody | { readonly kind: 'stream'; readonly stream: StreamedBody };

export const NO_BODY: ReceivedBody = { kind: 'none' };

/** Above this a body lies in an encrypted file instead of memory, and rules cannot look into it. */
export const MEMORY_BODY_BYTES_MAX = 1_048_576;

export function bodyBytes(body: RequestBody): number {
  switch (body.kind) {
    case 'none':
      return 0;
    case 'bytes':
      return body.bytes.byteLength;
    case 'spooled':
      return body.byteLength;
    case 'stream':
      return body.stream.announcedBytes ?? 0;
  }
}

/** To be called once at the end of the call, however it ended. */
export function disposeBody(body: RequestBody): void {
  switch (body.kind) {
    case 'none':
      return;
    case 'bytes':
      return body.memory?.give(body.bytes.byteLength);
    case 'spooled':
      return body.spool.dispose();
    case 'stream':
      return body.stream.release();
  }
}
