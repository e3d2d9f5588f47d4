import { parseAgentKey } from '@postern/auth';
import type { CliContext } from './context.ts';
import { Misuse } from './exit.ts';
import { findDataUrl } from './gateway-place.ts';
import { bodyOf, sendRequest } from './http.ts';

/** `--key`, else `POSTERN_KEY`. */
export function findAgentKey({ environment }: CliContext, given: string | undefined): string | undefined {
  return given ?? (environment['POSTERN_KEY'] || undefined);
}

/**
 * One request to the data plane with an agent key. Only text in key format is ever sent.
 *
 * @throws ApiProblem, ApiUnreachable, Misuse
 */
export async function askDataPlane<T>(
  context: CliContext,
  key: string,
  request: { readonly method: 'GET' | 'POST'; readonly path: string; readonly body?: unknown },
): Promise<T> {
  if (parseAgentKey(key) === undefined) {
    throw new Misuse('that is no agent key: wrong format or checksum. A key begins with pst_ and has 64 characters.');
  }
  const base = findDataUrl(context);
  const { method, path, body } = request;
  const answer = await sendRequest({
    method,
    url: base + path,
    headers: { 'postern-key': key, accept: 'application/json' },
    body,
  });
  return bodyOf<T>(answer, base);
}
