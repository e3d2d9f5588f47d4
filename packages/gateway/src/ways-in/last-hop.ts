import type { AdmittedRequest } from '../stages/admit.ts';
import { authenticate } from '../stages/authenticate.ts';
import type { ApiWayIn } from './way-in.ts';

/** What can be forwarded at all; what an integration's upstream takes is not asked. */
export const FORWARDED_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

/** RFC 9110 section 7.6.2: an OPTIONS that may be forwarded no further is answered by whoever has it. */
export const lastHop: ApiWayIn = {
  kind: 'api',
  async answer(gateway, request) {
    await authenticate(gateway, request, 'call');
    request.exchange.response
      .writeHead(204, ['allow', FORWARDED_METHODS.join(', '), 'postern-request-id', request.event.requestId])
      .end();
  },
};

export function isForUs({ method, exchange }: AdmittedRequest): boolean {
  return method === 'OPTIONS' && exchange.request.headers['max-forwards'] === '0';
}

/** The fields of a request that goes one hop further: its `Max-Forwards`, where that is a number, is one less. */
export function withOneForwardLess(rawHeaders: readonly string[]): readonly string[] {
  return rawHeaders.map((item, index) => {
    const isValue = index % 2 === 1 && (rawHeaders[index - 1] as string).toLowerCase() === 'max-forwards';
    return isValue && /^[1-9][0-9]{0,8}$/.test(item) ? String(Number(item) - 1) : item;
  });
}
