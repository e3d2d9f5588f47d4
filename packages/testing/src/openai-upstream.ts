import type { ServerResponse } from 'node:http';
import { type RecordedRequest, startUpstream, type Upstream } from './upstream.ts';

export interface OpenAiUpstreamOptions {
  /** The key that `Authorization: Bearer` must carry; anything else is answered 401. */
  readonly apiKey: string;
  /** What the model says, one element a streamed piece; default `['Hello', ' from', ' the', ' stub']`. */
  readonly pieces?: readonly string[];
}

export interface OpenAiUpstream extends Upstream {
  /** `baseURL` for the client: the server's address with `/v1`. */
  readonly baseUrl: string;
}

/** A server that speaks enough of the OpenAI API for its official client: models, chat completions, as JSON or as an event stream. */
export async function startOpenAiUpstream(options: OpenAiUpstreamOptions): Promise<OpenAiUpstream> {
  const pieces = options.pieces ?? ['Hello', ' from', ' the', ' stub'];
  const upstream = await startUpstream({
    handler: (request, response) => {
      if (request.headers['authorization'] !== `Bearer ${options.apiKey}`) {
        return answerError(response, 401, 'invalid_api_key');
      }
      if (request.method === 'GET' && request.url === '/v1/models') {
        return answerJson(response, 200, {
          object: 'list',
          data: [{ id: 'stub-1', object: 'model', owned_by: 'stub' }],
        });
      }
      if (request.method === 'POST' && request.url === '/v1/chat/completions') {
        return answerChat(request, response, pieces);
      }
      answerError(response, 404, 'unknown_url');
    },
  });
  // The parts are getters, so the wrapper must inherit them instead of copying their values.
  return Object.assign(Object.create(upstream) as Upstream, { baseUrl: `${upstream.url}/v1` });
}

function answerChat(request: RecordedRequest, response: ServerResponse, pieces: readonly string[]): void {
  const asked = parseQuestion(request.body);
  if (asked === undefined) {
    answerError(response, 400, 'invalid_request');
    return;
  }
  const common = { id: 'chatcmpl-stub', created: 1_767_225_600, model: asked.model };
  if (asked.stream) {
    answerStream(response, common, pieces);
    return;
  }
  const message = { role: 'assistant', content: pieces.join(''), refusal: null };
  answerJson(response, 200, {
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

function answerStream(response: ServerResponse, common: object, pieces: readonly string[]): void {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
  const send = (delta: object, finishReason: string | null) => {
    const choices = [{ index: 0, delta, finish_reason: finishReason }];
    response.write(`data: ${JSON.stringify({ ...common, object: 'chat.completion.chunk', choices })}\n\n`);
  };
  send({ role: 'assistant', content: '' }, null);
  for (const content of pieces) send({ content }, null);
  send({}, 'stop');
  response.end('data: [DONE]\n\n');
}

function answerJson(response: ServerResponse, status: number, value: object): void {
  const text = JSON.stringify(value);
  response
    .writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) })
    .end(text);
}

function answerError(response: ServerResponse, status: number, code: string): void {
  answerJson(response, status, {
    error: { message: `stub: ${code}`, type: 'invalid_request_error', param: null, code },
  });
}
