import { answerStubJson, demandHeader, jsonOf, type StubApi, startStubApi } from './stub-api.ts';
import type { RecordedRequest } from './upstream.ts';

export interface GoogleUpstreamOptions {
  /** `Authorization` must be `Bearer` and this token. */
  readonly token: string;
}

/** A server that speaks enough of Google Drive's API for its official client: files as documents, their content, uploads in parts. */
export function startGoogleUpstream({ token }: GoogleUpstreamOptions): Promise<StubApi> {
  return startStubApi({
    credentialFault: demandHeader('authorization', `Bearer ${token}`),
    handler: async (request, response, hands) => {
      const { pathname, searchParams } = new URL(request.url, 'http://stub');
      if (request.method === 'POST' && pathname === '/upload/drive/v3/files') {
        const { name } = firstPartOf(request);
        return answerStubJson(response, 200, { id: 'uploaded', name });
      }
      if (request.method === 'POST' && pathname === '/drive/v3/files') {
        return answerStubJson(response, 200, { id: 'made', name: jsonOf(request)?.name });
      }
      const id = /^\/drive\/v3\/files\/([\w-]+)$/.exec(pathname)?.[1];
      if (request.method !== 'GET' || id === undefined || id === 'none') {
        return answerStubJson(response, 404, { error: { code: 404, message: `File not found: ${id}.`, errors: [] } });
      }
      if (searchParams.get('alt') !== 'media') return answerStubJson(response, 200, { id, name: `name of ${id}` });
      response.writeHead(200, { 'content-type': 'application/octet-stream' }).write('first ');
      await hands.streamsHeld();
      response.end('last');
    },
  });
}

/** The document in front of a `multipart/related` upload. */
function firstPartOf({ body }: RecordedRequest): { name?: string } {
  const text = Buffer.from(body).toString('utf8');
  const begin = text.indexOf('{');
  return JSON.parse(text.slice(begin, text.indexOf('\r\n--', begin))) as { name?: string };
}
