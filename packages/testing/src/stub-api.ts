import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { type RecordedRequest, startUpstream, type Upstream } from './upstream.ts';

/** A gateway's agent key: specification section 3. No upstream may ever see one. */
const AGENT_KEY = /pst_[a-z0-9]{10}_/;

export interface StubFailure {
  readonly status: number;
  readonly headers?: OutgoingHttpHeaders;
  /** Sent as JSON; default `{"error":{"message":"stub: STATUS"}}`. */
  readonly body?: unknown;
  /** How many requests are answered so; default 1. */
  readonly count?: number;
  /** Requests of other methods are answered as ever. */
  readonly method?: string;
}

export interface StubApi extends Upstream {
  /** What was wrong with the requests so far: a missing or other credential, an agent key that came through. */
  readonly faults: readonly string[];
  /** When each of `requests` began, in milliseconds of the monotonic clock. */
  readonly arrivals: readonly number[];
  /** The next requests are answered with this failure instead. */
  failNext(failure: StubFailure): void;
  /** Streams stop before their last piece until the function given back is called. */
  holdStreams(): () => void;
}

/** What a handler of a stub is given besides the request. */
export interface StubHands {
  /** To be awaited before the last piece of a stream. */
  streamsHeld(): Promise<void>;
}

export type StubHandler = (request: RecordedRequest, response: ServerResponse, hands: StubHands) => unknown;

export interface StubApiOptions {
  /** What is wrong with the request's credential; undefined when it is the right one. */
  readonly credentialFault: (request: RecordedRequest) => string | undefined;
  /** Answers a request whose credential is right. */
  readonly handler: StubHandler;
  /** Answers a request whose credential is wrong; default 401 with the fault as JSON. */
  readonly refuse?: (response: ServerResponse, fault: string) => void;
}

/** A server in the place of a provider: it demands the provider's credential, and fails and stalls at a test's command. */
export async function startStubApi(options: StubApiOptions): Promise<StubApi> {
  const faults: string[] = [];
  const arrivals: number[] = [];
  const failures: StubFailure[] = [];
  let held: Promise<void> = Promise.resolve();
  const refuse = options.refuse ?? ((response, fault) => answerStubJson(response, 401, { error: { message: fault } }));

  const upstream = await startUpstream({
    answerAt: 'head',
    handler: async (request, response) => {
      arrivals.push(performance.now());
      await request.ended;
      const fault = keyFault(request) ?? options.credentialFault(request);
      if (fault !== undefined) {
        faults.push(`${request.method} ${request.url}: ${fault}`);
        return refuse(response, fault);
      }
      const failing = failures.findIndex(({ method }) => method === undefined || method === request.method);
      const [failure] = failing < 0 ? [] : failures.splice(failing, 1);
      if (failure !== undefined) return answerFailure(response, failure);
      await options.handler(request, response, { streamsHeld: () => held });
    },
  });
  return Object.assign(Object.create(upstream) as Upstream, {
    faults,
    arrivals,
    failNext: (failure: StubFailure) => {
      for (let index = 0; index < (failure.count ?? 1); index += 1) failures.push(failure);
    },
    holdStreams: () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      held = promise;
      return resolve;
    },
  });
}

/** A credential check: this field must have exactly this value. */
export function demandHeader(name: string, value: string): StubApiOptions['credentialFault'] {
  return ({ headers }) => {
    if (headers[name] === value) return undefined;
    return headers[name] === undefined ? `no ${name}` : `another ${name} than the provider knows`;
  };
}

function keyFault({ url, rawHeaders, body }: RecordedRequest): string | undefined {
  if (AGENT_KEY.test(url) || AGENT_KEY.test(rawHeaders.join('\n'))) return 'an agent key in the head';
  return AGENT_KEY.test(Buffer.from(body).toString('latin1')) ? 'an agent key in the body' : undefined;
}

function answerFailure(response: ServerResponse, { status, headers = {}, body }: StubFailure): void {
  answerStubJson(response, status, body ?? { error: { message: `stub: ${status}` } }, headers);
}

/** Answers with JSON and a length. */
export function answerStubJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: OutgoingHttpHeaders = {},
): void {
  const text = JSON.stringify(value);
  const length = Buffer.byteLength(text);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': length, ...headers }).end(text);
}

/** Answers with an event stream; the last event waits while streams are held. */
export async function answerStubEvents(
  response: ServerResponse,
  events: readonly string[],
  hands: StubHands,
): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
  for (const event of events.slice(0, -1)) response.write(event);
  await hands.streamsHeld();
  response.end(events.at(-1));
}

/** The body as JSON; undefined when it is none. */
// biome-ignore lint/suspicious/noExplicitAny: stubs look into documents of all shapes.
export function jsonOf({ body }: RecordedRequest): any {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
}
