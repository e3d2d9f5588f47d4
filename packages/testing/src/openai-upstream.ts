import type { ServerResponse } from 'node:http';
import {
  answerStubEvents,
  answerStubJson,
  demandHeader,
  type StubApi,
  type StubHands,
  startStubApi,
} from './stub-api.ts';
import type { RecordedRequest } from './upstream.ts';

export interface OpenAiUpstreamOptions {
  /** The key that `Authorization: Bearer` must carry; anything else is answered 401. */
  readonly apiKey: string;
  /** What the model says, one element a streamed piece; default `['Hello', ' from', ' the', ' stub']`. */
  readonly pieces?: readonly string[];
}

export interface OpenAiUpstream extends StubApi {
  /** `baseURL` for the client: the server's address with `/v1`. */
  readonly baseUrl: string;
}

/** A server that speaks enough of the OpenAI API for its official client: models, chat completions, as JSON or as an event stream. */
export async function startOpenAiUpstream(options: OpenAiUpstreamOptions): Promise<OpenAiUpstream> {
  const pieces = options.pieces ?? ['Hello', ' from', ' the', ' stub'];
  const upstream = await startStubApi({
    credentialFault: demandHeader('authorization', `Bearer ${options.apiKey}`),
    refuse: (response) => answerError(response, 401, 'invalid_api_key'),
    handler: (request, response, hands) => {
      if (request.method === 'GET' && request.url === '/v1/models') {
        return answerStubJson(response, 200, {
          object: 'list',
          data: [{ id: 'stub-1', object: 'model', owned_by: 'stub' }],
        });
      }
      if (request.method === 'POST' && request.url === '/v1/chat/completions') {
        return answerChat(request, response, { pieces, hands });
      }
      return answerError(response, 404, 'unknown_url');
    },
  });
  // The parts are getters, so the wrapper must inherit them instead of copying their values.
  return Object.assign(Object.create(upstream) as StubApi, { baseUrl: `${upstream.url}/v1` });
}

interface Speech {
  readonly pieces: readonly string[];
  readonly hands: StubHands;
}

function answerChat(request: RecordedRequest, response: ServerResponse, { pieces, hands }: Speech): unknown {
  const asked = parseQuestion(request.body);
  if (asked === undefined) {
    return answerError(response, 400, 'invalid_request');
  }
  const common = { id: 'chatcmpl-stub', created: 1_767_225_600, model: asked.model };
  if (asked.stream) {
    return answerStubEvents(response, chatEvents(common, pieces), hands);
  }
  const message = { role: 'assistant', content: pieces.join(''), refusal: null };
  return answerStubJson(response, 200, {
    ...common,
    object: 'chat.completion',
    choices: [{ index: 0, message, finish_reason: 'stop', logprobs: null }],
    usage: { prompt_tokens: 1, completion_tokens: pieces.length, total_tokens: 1 + pieces.length },
  });
}

function parseQuestion(body: Uint8Array): { model: string; stream: boolean } | undefined {
  try {
    const asked = JSON.parse(new TextDecoder().decode(body));
    return Array.isArray(asked?.messages) ? { model: String(asked.model), stream: asked.stream === true } : undefined;
  } catch {
    return undefined;
  }
}

function chatEvents(common: object, pieces: readonly string[]): string[] {
  const event = (delta: object, finishReason: string | null) => {
    const choices = [{ index: 0, delta, finish_reason: finishReason }];
    return `data: ${JSON.stringify({ ...common, object: 'chat.completion.chunk', choices })}\n\n`;
  };
  return [
    event({ role: 'assistant', content: '' }, null),
    ...pieces.map((content) => event({ content }, null)),
    event({}, 'stop'),
    'data: [DONE]\n\n',
  ];
}

function answerError(response: ServerResponse, status: number, code: string): void {
  answerStubJson(response, status, {
    error: { message: `stub: ${code}`, type: 'invalid_request_error', param: null, code },
  });
}
