import type { AdmittedRequest } from '../stages/admit.ts';
import { hasBody } from './answer.ts';
import type { CollectedResponse } from './collected-answer.ts';

/** The stored answer as it was given, with this request's own id. */
export function sendReplay({ exchange, event, method }: AdmittedRequest, stored: CollectedResponse): void {
  const { status, headers, body } = stored;
  const { response } = exchange;
  const sent = [...headers];
  // RFC 9110 section 8.6: an answer without a body may have the length of the one that it stands for.
  if (hasBody(status, method)) {
    removeField(sent, 'content-length');
    sent.push('content-length', String(body.byteLength));
  }
  sent.push('postern-request-id', event.requestId);
  response.setHeader('postern-idempotency', 'replayed');
  response.writeHead(status, sent);
  response.end(hasBody(status, method) ? body : undefined);
}

function removeField(flat: string[], name: string): void {
  for (let i = flat.length - 2; i >= 0; i -= 2) {
    if ((flat[i] as string).toLowerCase() === name) flat.splice(i, 2);
  }
}
