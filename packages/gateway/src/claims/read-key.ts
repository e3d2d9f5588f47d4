import type { IncomingMessage } from 'node:http';
import { IdempotencyKeyError, readIdempotencyKey } from '@postern/approvals';
import { Rejection } from '@postern/schemas';

/** The key of a request's `Idempotency-Key`; undefined without one. @throws Rejection `malformed_request` */
export function keyOfRequest(request: IncomingMessage): string | undefined {
  if (request.headers['idempotency-key'] === undefined) return undefined;
  try {
    return readIdempotencyKey(request.headersDistinct['idempotency-key'] ?? []);
  } catch (error) {
    if (!(error instanceof IdempotencyKeyError)) throw error;
    throw new Rejection(
      'malformed_request',
      `${capitalised(error.message)}; 1 to 255 visible ASCII characters are right.`,
    );
  }
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
