import { ApiProblem, ApiUnreachable, isProblem } from './api-problem.ts';

export interface AdminClientOptions {
  /** Base of the control plane, such as `http://127.0.0.1:8081`. */
  readonly url: string;
  readonly token: string;
  /** Default: the token's own tenant, for an owner `default`. */
  readonly tenant?: string;
  /** Default: the runtime's. */
  readonly fetch?: typeof fetch;
  /** For one request with its answer; default 30,000 ms. */
  readonly timeoutMs?: number;
}

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** From `/v1/…`; parts that come from outside are percent-encoded already. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Sent as JSON, a string as it is with `contentType`. */
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
  /** Sent as `If-Match`. */
  readonly ifMatch?: string | undefined;
  /** Answers other than 2xx that are no refusals. */
  readonly alsoTakes?: readonly number[];
  /** Beside those that every request has. */
  readonly headers?: Readonly<Record<string, string>>;
  /** In place of the time limit: the answer has no end of its own. */
  readonly signal?: AbortSignal;
}

export type Send = (request: ApiRequest) => Promise<Response>;

/** Rejects with `ApiProblem` for a refusal, `ApiUnreachable` for everything that is no answer of a control plane. */
export function createSend(options: AdminClientOptions): Send {
  const { token, tenant, timeoutMs = 30_000 } = options;
  const base = options.url.replace(/\/+$/, '');
  const fetchAnswer = options.fetch ?? fetch;
  return async (request) => {
    const headers = new Headers({ authorization: `Bearer ${token}`, accept: request.accept ?? 'application/json' });
    if (tenant !== undefined) headers.set('postern-tenant', tenant);
    if (request.ifMatch !== undefined) headers.set('if-match', request.ifMatch);
    if (request.body !== undefined) headers.set('content-type', request.contentType ?? 'application/json');
    for (const [name, value] of Object.entries(request.headers ?? {})) headers.set(name, value);
    const isText = typeof request.body === 'string';
    const init: RequestInit = {
      method: request.method,
      headers,
      redirect: 'error',
      signal: request.signal ?? AbortSignal.timeout(timeoutMs),
    };
    if (request.body !== undefined) init.body = isText ? (request.body as string) : JSON.stringify(request.body);
    let response: Response;
    try {
      response = await fetchAnswer(`${base}${request.path}${queryText(request.query)}`, init);
    } catch (cause) {
      throw new ApiUnreachable(`The control plane at ${base} does not answer.`, { cause });
    }
    if (response.ok || request.alsoTakes?.includes(response.status) === true) return response;
    throw await readRefusal(response, base);
  };
}

function queryText(query: ApiRequest['query'] = {}): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) parameters.set(name, String(value));
  return parameters.size === 0 ? '' : `?${parameters}`;
}

async function readRefusal(response: Response, base: string): Promise<Error> {
  const text = await response.text().catch(() => '');
  try {
    const problem: unknown = JSON.parse(text);
    if (isProblem(problem)) return new ApiProblem(problem);
  } catch {
    // What is no JSON is no problem document either: told below.
  }
  return new ApiUnreachable(`What answers at ${base} is no control plane (status ${response.status}).`);
}
