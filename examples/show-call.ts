/** Who answers a call: the provider, or the gateway, which refuses it or wants a person's approval first. */
export type Answerer = 'provider' | 'refused' | 'asks';

/** One call of an example, as a client makes it, and what must come of it. */
export interface ShownCall {
  /** What happens, in words. */
  readonly title: string;
  readonly url: string;
  readonly method?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly expect: {
    readonly by: Answerer;
    /** Of an answer of the provider; default 200. */
    readonly status?: number;
    /** How long it takes at least, in milliseconds. */
    readonly atLeastMs?: number;
  };
}

/** Makes the call and tells on one line what came of it. @throws Error when that is not what was expected */
export async function showCall({ title, url, method = 'GET', headers, body, expect }: ShownCall): Promise<void> {
  const startedMs = performance.now();
  const response = await fetch(url, {
    method,
    headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const tookMs = performance.now() - startedMs;
  const by = answererOf(response, text);
  console.log(`${title}: ${TOLD[by]} (${response.status}, ${(tookMs / 1000).toFixed(1)} s)`);
  const isStatus = by !== 'provider' || response.status === (expect.status ?? 200);
  if (by === expect.by && isStatus && tookMs >= (expect.atLeastMs ?? 0)) return;
  throw new Error(`not as expected, ${JSON.stringify(expect)}: ${text}`);
}

const TOLD: Readonly<Record<Answerer, string>> = {
  provider: 'the provider answers',
  refused: 'the gateway refuses',
  asks: 'a person is asked',
};

function answererOf(response: Response, text: string): Answerer {
  if (response.headers.get('content-type')?.startsWith('application/problem+json') !== true) return 'provider';
  const { code, decision } = JSON.parse(text) as { code: string; decision?: string };
  return code === 'approval_required' || decision === 'require_approval' ? 'asks' : 'refused';
}
