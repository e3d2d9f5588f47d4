import type { ServerResponse } from 'node:http';
import { answerStubEvents, answerStubJson, demandHeader, jsonOf, type StubApi, startStubApi } from './stub-api.ts';

export interface AnthropicUpstreamOptions {
  /** The value that `X-Api-Key` must have. */
  readonly apiKey: string;
  /** What the model says, one element a streamed piece. */
  readonly pieces: readonly string[];
}

/** A server that speaks enough of the Anthropic API for its official client: messages, as JSON or as an event stream, and models in pages. */
export function startAnthropicUpstream({ apiKey, pieces }: AnthropicUpstreamOptions): Promise<StubApi> {
  return startStubApi({
    credentialFault: demandHeader('x-api-key', apiKey),
    refuse: (response) => answerError(response, 401, 'authentication_error'),
    handler: (request, response, hands) => {
      const { pathname, searchParams } = new URL(request.url, 'http://stub');
      if (request.method === 'GET' && pathname === '/v1/models') {
        return answerStubJson(response, 200, modelsAfter(searchParams.get('after_id')));
      }
      if (request.method !== 'POST' || pathname !== '/v1/messages') {
        return answerError(response, 404, 'not_found_error');
      }
      const asked = jsonOf(request);
      if (asked?.stream === true) return answerStubEvents(response, messageEvents(asked.model, pieces), hands);
      const content = [{ type: 'text', text: pieces.join('') }];
      return answerStubJson(response, 200, { ...messageOf(asked?.model), content, stop_reason: 'end_turn' });
    },
  });
}

const MODELS = ['claude-a', 'claude-b', 'claude-c'].map((id) => ({
  type: 'model',
  id,
  display_name: id,
  created_at: '2026-01-01T00:00:00Z',
}));

/** Two a page. */
function modelsAfter(id: string | null): object {
  const begin = MODELS.findIndex((model) => model.id === id) + 1;
  const data = MODELS.slice(begin, begin + 2);
  return { data, has_more: begin + 2 < MODELS.length, first_id: data[0]?.id ?? null, last_id: data.at(-1)?.id ?? null };
}

function messageOf(model: unknown): object {
  return {
    ...{ id: 'msg_stub', type: 'message', role: 'assistant', model, content: [] },
    ...{ stop_reason: null, stop_sequence: null, usage: { input_tokens: 1, output_tokens: 1 } },
  };
}

function messageEvents(model: unknown, pieces: readonly string[]): string[] {
  const event = (type: string, more: object) => `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;
  return [
    event('message_start', { message: messageOf(model) }),
    event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
    ...pieces.map((text) => event('content_block_delta', { index: 0, delta: { type: 'text_delta', text } })),
    event('content_block_stop', { index: 0 }),
    event('message_delta', {
      delta: { stop_reason: 'end_turn', stop_sequence: null },
      usage: { output_tokens: pieces.length },
    }),
    event('message_stop', {}),
  ];
}

function answerError(response: ServerResponse, status: number, type: string): void {
  answerStubJson(response, status, { type: 'error', error: { type, message: `stub: ${type}` } });
}
