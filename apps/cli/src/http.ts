import { ApiProblem, ApiUnreachable } from '@postern/client';
import type { Problem } from '@postern/schemas';

const TIMEOUT_MS = 30_000;

/** What the client of the control plane does not do: calls of the data plane, and questions without a token. */
export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  /** The JSON value; undefined when the body is empty or no JSON. */
  readonly body: unknown;
}

/**
 * One request. Redirects are not followed: they could carry a key elsewhere.
 *
 * @throws ApiUnreachable when nobody answers there.
 */
export async function sendRequest({ method, url, headers, body }: HttpRequest): Promise<HttpAnswer> {
  try {
    const response = await fetch(url, {
      method,
      headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return { status: response.status, headers: response.headers, body: parseJson(await response.text()) };
  } catch (cause) {
    throw new ApiUnreachable(`${new URL(url).origin} does not answer.`, { cause });
  }
}

/**
 * The body of a successful answer.
 *
 * @throws ApiProblem for a problem document, ApiUnreachable for any other answer.
 */
export function bodyOf<T>({ status, body }: HttpAnswer, url: string): T {
  if (status >= 200 && status < 300 && body !== undefined) return body as T;
  if (isProblem(body)) throw new ApiProblem(body);
  throw new ApiUnreachable(`What answers at ${new URL(url).origin} is no gateway (status ${status}).`);
}

export function isProblem(body: unknown): body is Problem {
  if (typeof body !== 'object' || body === null) return false;
  const { code, title, status } = body as Partial<Record<keyof Problem, unknown>>;
  return typeof code === 'string' && typeof title === 'string' && typeof status === 'number';
}

function parseJson(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
