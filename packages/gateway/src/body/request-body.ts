import type { Spool } from './spool.ts';

/** A request body that has been received whole, or none. */
export type RequestBody =
  | { readonly kind: 'none' }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'spooled'; readonly spool: Spool; readonly byteLength: number };

export const NO_BODY: RequestBody = { kind: 'none' };

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
  }
}

/** To be called once at the end of the call, however it ended. */
export function disposeBody(body: RequestBody): void {
  if (body.kind === 'spooled') body.spool.dispose();
}
