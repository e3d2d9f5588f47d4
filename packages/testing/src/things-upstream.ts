import { createHash } from 'node:crypto';
import { answerStubEvents, answerStubJson, demandHeader, jsonOf, type StubApi, startStubApi } from './stub-api.ts';

/** What an upload is answered with. */
export interface StoredFile {
  readonly name: string;
  readonly bytes: number;
  /** In hexadecimal. */
  readonly sha256: string;
}

/**
 * A plain HTTP API for clients that belong to no provider; `Authorization` must be `Bearer` and the token. `GET /things/{name}` (but for
 * `none`), `POST /things`, `PUT` and `POST /files/{name}`, `GET /events` (an event stream), `GET /lines` (text in chunks).
 */
export function startThingsUpstream(token: string): Promise<StubApi> {
  return startStubApi({
    credentialFault: demandHeader('authorization', `Bearer ${token}`),
    handler: async (request, response, hands) => {
      const [, folder, name = ''] = new URL(request.url, 'http://stub').pathname.split('/');
      switch (`${request.method} ${folder}`) {
        case 'GET things':
          if (name === 'none') break;
          return answerStubJson(response, 200, { name });
        case 'POST things':
          return answerStubJson(response, 201, { name: jsonOf(request)?.name });
        case 'PUT files':
        case 'POST files': {
          const sha256 = createHash('sha256').update(request.body).digest('hex');
          return answerStubJson(response, 200, { name, bytes: request.body.byteLength, sha256 } satisfies StoredFile);
        }
        case 'GET events':
          return answerStubEvents(response, ['data: first\n\n', 'data: second\n\n', 'data: last\n\n'], hands);
        case 'GET lines':
          response.writeHead(200, { 'content-type': 'text/plain' }).write('first\n');
          await hands.streamsHeld();
          return response.end('last\n');
      }
      return answerStubJson(response, 404, { error: { message: `nothing at ${request.url}` } });
    },
  });
}
