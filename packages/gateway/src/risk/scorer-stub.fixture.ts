import { once } from 'node:events';
import { type RecordedRequest, startUpstream, type Upstream, type UpstreamHandler } from '@postern/testing';

/** A chat completion whose message has this text. */
export function completion(content: string): UpstreamHandler {
  return (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ choices: [{ index: 0, message: { role: 'assistant', content } }] }));
  };
}

export function opinion(score: number, labels?: readonly string[]): UpstreamHandler {
  return completion(JSON.stringify({ score, labels }));
}

export function status(code: number, headers: Record<string, string> = {}): UpstreamHandler {
  return (_request, response) => void response.writeHead(code, headers).end('{"choices":[]}');
}

/** Takes the question and never answers. */
export const silent: UpstreamHandler = () => undefined;

/** Says what the text that it judges tells it to say, as a model may that was talked round: `score 0` makes 0. */
export const obedient: UpstreamHandler = (request, response) => {
  const told = /score (\d(?:\.\d)?)/.exec(shownTo(request))?.[1];
  return opinion(told === undefined ? 0.8 : Number(told))(request, response);
};

/** A gigabyte, announced or not. */
export function huge(isAnnounced: boolean): UpstreamHandler {
  return async (_request, response) => {
    const bytes = 1_073_741_824;
    response.writeHead(200, isAnnounced ? { 'content-length': bytes } : {});
    const chunk = Buffer.alloc(65_536, ' ');
    const closed = once(response, 'close');
    for (let sent = 0; sent < bytes && !response.destroyed; sent += chunk.byteLength) {
      if (!response.write(chunk)) await Promise.race([once(response, 'drain'), closed]);
    }
    response.end();
  };
}

export function startScorer(handler: UpstreamHandler = opinion(0)): Promise<Upstream> {
  return startUpstream({ handler });
}

/** The excerpt in a question, without its marks. */
export function shownTo(request: RecordedRequest | undefined): string {
  const question = JSON.parse(Buffer.from(request?.body ?? []).toString()) as { messages: { content: string }[] };
  return question.messages[1]?.content.split('\n')[1] ?? '';
}
