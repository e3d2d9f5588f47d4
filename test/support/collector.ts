import {
  decodeOtlpMetrics,
  decodeOtlpSpans,
  type OtlpMetric,
  type OtlpSpan,
  startUpstream,
  type Upstream,
} from '@postern/testing';
import { expect, vi } from 'vitest';
import { configOf, integration, newAgent } from './scenario.ts';
import { type RunningGateway, startGateway } from './start-gateway.ts';

export const coder = newAgent('coder');
export const SECRET = 'sealed-0123456789abcdef';
export const TRACE = '0af7651916cd43dd8448eb211c80319c';
export const SPAN = 'b7ad6b7169203331';

/** A collector, as far as these tests need one: it takes everything, and keeps it. */
export async function startCollector() {
  const server = await startUpstream({ handler: (_request, response) => void response.end() });
  const bodies = (path: string) => server.requests.filter((request) => request.complete && request.url === path);
  return {
    server,
    url: server.url,
    spans: (): OtlpSpan[] => bodies('/v1/traces').flatMap(({ body }) => decodeOtlpSpans(body)),
    /** The last that were told. */
    metrics: (): OtlpMetric[] => decodeOtlpMetrics(bodies('/v1/metrics').at(-1)?.body ?? new Uint8Array()),
    [Symbol.asyncDispose]: () => server.close(),
  };
}

export type Collector = Awaited<ReturnType<typeof startCollector>>;

const QUICK = { OTEL_BSP_SCHEDULE_DELAY: '20', OTEL_METRIC_EXPORT_INTERVAL: '100' };

/** Tells the collector soon instead of after seconds; the environment names it. */
export function startTraced(upstream: Upstream, environment: Record<string, string>): Promise<RunningGateway> {
  const config = configOf(
    [coder],
    [
      integration('api', `${upstream.url}/v1`, {
        credential: { type: 'bearer', secret: 'token' },
        actions: [{ name: 'items', methods: ['GET', 'POST'], paths: ['/v1/items/**'] }],
        timeouts: { firstByteMs: 400, connectMs: 400 },
        retry: { attempts: 3, baseMs: 1, maxMs: 2 },
      }),
    ],
    {
      secrets: { token: { value: SECRET } },
      rules: [
        { id: 'all', effect: 'allow', agents: ['coder'] },
        { id: 'no-admin', effect: 'deny', paths: ['/v1/admin/**'] },
      ],
    },
  );
  return startGateway({ config, environment: { ...QUICK, ...environment } });
}

export function spansOf(collector: Collector, requestId: string | undefined): OtlpSpan[] {
  return collector.spans().filter(({ attributes }) => attributes['postern.request_id'] === requestId);
}

/** The spans of one call, the server's first; spans ride in batches. */
export function eventualSpans(collector: Collector, requestId: string | undefined, count: number): Promise<OtlpSpan[]> {
  return vi.waitFor(
    () => {
      const spans = spansOf(collector, requestId);
      expect(spans.length).toBe(count);
      return spans.sort((left, right) => right.kind.localeCompare(left.kind));
    },
    { timeout: 5_000, interval: 20 },
  );
}
