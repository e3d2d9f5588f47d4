import { answerStubJson, demandHeader, type StubApi, startStubApi } from './stub-api.ts';
import type { RecordedRequest } from './upstream.ts';

export interface SlackUpstreamOptions {
  /** `Authorization` must be `Bearer` and this token. */
  readonly token: string;
  /** The channels, listed two a page. */
  readonly channels: readonly string[];
}

/** A server that speaks enough of the Slack Web API for its official client: it answers 200 and tells failures in the document. */
export function startSlackUpstream({ token, channels }: SlackUpstreamOptions): Promise<StubApi> {
  return startStubApi({
    credentialFault: demandHeader('authorization', `Bearer ${token}`),
    refuse: (response) => answerStubJson(response, 200, { ok: false, error: 'invalid_auth' }),
    handler: (request, response) => {
      const asked = fieldsOf(request);
      switch (request.url) {
        case '/api/auth.test':
          return answerStubJson(response, 200, { ok: true, user: 'bot', team: 'stub' });
        case '/api/chat.postMessage':
          return answerStubJson(response, 200, { ok: true, channel: asked.get('channel'), ts: '1.0' });
        case '/api/conversations.list': {
          const begin = Number(asked.get('cursor') ?? 0);
          const items = channels.slice(begin, begin + 2).map((name) => ({ id: name, name }));
          const next = begin + 2 < channels.length ? String(begin + 2) : '';
          return answerStubJson(response, 200, {
            ok: true,
            channels: items,
            response_metadata: { next_cursor: next },
          });
        }
        case '/api/gone':
          return answerStubJson(response, 404, { message: 'no such page' });
        default:
          return answerStubJson(response, 200, { ok: false, error: 'unknown_method' });
      }
    },
  });
}

function fieldsOf({ body }: RecordedRequest): URLSearchParams {
  return new URLSearchParams(new TextDecoder().decode(body));
}
