import { timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';

/**
 * The upstream of `npm start`: shows without any account what a gateway is for. It demands its own secret as a bearer token,
 * tells whether an agent key reached it, and never repeats either.
 */
export function createDemoUpstream(secret: string): Server {
  return createServer((request, response) => {
    request.resume();
    const accepted = sameText(request.headers.authorization ?? '', `Bearer ${secret}`);
    const document = {
      message: accepted
        ? 'Hello from the demo upstream. The gateway gave me a credential that you never saw.'
        : 'The demo upstream wants a credential that only the gateway has.',
      method: request.method,
      path: request.url,
      credentialAccepted: accepted,
      agentKeySeen: Object.values(request.headers).some((value) => String(value).includes('pst_')),
      headers: safeHeaders(request.headers),
    };
    response.writeHead(accepted ? 200 : 401, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify(document, undefined, 2)}\n`);
  });
}

function safeHeaders(headers: IncomingHttpHeaders): Record<string, unknown> {
  const { authorization, ...others } = headers;
  return { ...others, ...(authorization === undefined ? {} : { authorization: '(present, not shown)' }) };
}

function sameText(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.byteLength === b.byteLength && timingSafeEqual(a, b);
}
