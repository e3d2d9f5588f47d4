import type { Problem } from '@postern/schemas';
import { Failure } from './exit.ts';

const TIMEOUT_MS = 30_000;

export interface HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The JSON value; undefined when the body is empty or no JSON. */
  readonly body: unknown;
}

/** A refusal of the gateway. */
export class RefusedCall extends Error {
  override readonly name = 'RefusedCall';
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.title);
    this.problem = problem;
  }
}

/**
 * One request. Redirects are not followed: they could carry a token elsewhere.
 *
 * @throws Failure when nobody answers there.
 */
export async function sendRequest(request: HttpRequest): Promise<HttpAnswer> {
  const { method, url, headers, body } = request;
  try {
    const response = await fetch(url, {
      method,
      headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: parseJson(text) };
  } catch (cause) {
    throw new Failure(`${new URL(url).origin} does not answer (${reasonOf(cause)}).`, [], { cause });
  }
}

/**
 * The body of a successful answer.
 *
 * @throws RefusedCall for a problem document, Failure for any other answer.
 */
export function bodyOf<T>(answer: HttpAnswer, url: string): T {
  return accepted(answer, url).body as T;
}

/** The same answer, if it is a successful one; throws as `bodyOf` does. */
export function accepted(answer: HttpAnswer, url: string): HttpAnswer {
  const { status, body } = answer;
  if (status >= 200 && status < 300) return answer;
  if (isProblem(body)) throw new RefusedCall(body);
  throw new Failure(`${new URL(url).origin} answered with status ${status}, and not as a gateway does.`, [
    'Is the address right? "postern doctor" tells more.',
  ]);
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

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return 'unknown error';
  if (cause.name === 'TimeoutError') return `no answer within ${TIMEOUT_MS / 1_000} s`;
  const { cause: inner } = cause;
  const error = inner instanceof Error ? inner : cause;
  return 'code' in error ? String(error.code) : error.message;
}
