import { startUpstream } from '@postern/testing';
import { describe, expect, test } from 'vitest';
import { coder, eventualSpans, SPAN, startCollector, startTraced, TRACE } from './support/collector.ts';
import { call } from './support/http-client.ts';
import { refusedStart } from './support/refused-start.ts';

describe('which signals are sent, and where', () => {
  test.each<[string, (url: string) => Record<string, string>, string[]]>([
    [
      'one endpoint for both',
      (url) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: `${url}/base` }),
      ['/base/v1/metrics', '/base/v1/traces'],
    ],
    ['an endpoint of traces alone', (url) => ({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${url}/own` }), ['/own']],
    ['an endpoint of metrics alone', (url) => ({ OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: `${url}/m` }), ['/m']],
    ['no traces', (url) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_TRACES_EXPORTER: 'none' }), ['/v1/metrics']],
    ['no metrics', (url) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_METRICS_EXPORTER: 'none' }), ['/v1/traces']],
    ['nothing when disabled', (url) => ({ OTEL_EXPORTER_OTLP_ENDPOINT: url, OTEL_SDK_DISABLED: 'true' }), []],
    [
      'nothing that is never sampled',
      (url) => ({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url, OTEL_TRACES_SAMPLER: 'always_off' }),
      [],
    ],
    [
      'nothing of a share of none',
      (url) => ({
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url,
        OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
        OTEL_TRACES_SAMPLER_ARG: '0',
      }),
      [],
    ],
  ])('%s', async (_name, environment, paths) => {
    await using upstream = await startUpstream();
    await using collector = await startCollector();
    await using gateway = await startTraced(upstream, environment(collector.url));
    const { status } = await call(gateway.dataUrl, '/to/api/x', { headers: { 'postern-key': coder.key } });
    expect(status).toBe(200);
    const isRecorded = paths.some((path) => !/metrics|^\/m$/.test(path));
    expect(upstream.requests.at(-1)?.headers['traceparent']?.endsWith('-01')).toBe(isRecorded);
    expect(await gateway.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect([...new Set(collector.server.requests.map(({ url }) => url))].sort()).toEqual(paths);
  });

  test('no proxy stands between, whatever the variables say', async () => {
    await using upstream = await startUpstream();
    await using collector = await startCollector();
    const nowhere = 'http://127.0.0.1:9';
    await using gateway = await startTraced(upstream, {
      ...{ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, NODE_USE_ENV_PROXY: '1', NO_PROXY: '' },
      ...{ HTTP_PROXY: nowhere, http_proxy: nowhere, ALL_PROXY: nowhere },
    });
    const answer = await call(gateway.dataUrl, '/to/api/x', { headers: { 'postern-key': coder.key } });
    expect(answer.status).toBe(200);
    await eventualSpans(collector, answer.headers['postern-request-id'], 2);
  });

  test('gzip, when asked for', async () => {
    await using upstream = await startUpstream();
    await using collector = await startCollector();
    await using gateway = await startTraced(upstream, {
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/v1/traces`,
      OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
    });
    const answer = await call(gateway.dataUrl, '/to/api/x', { headers: { 'postern-key': coder.key } });
    await eventualSpans(collector, answer.headers['postern-request-id'], 2);
    expect(collector.server.requests[0]?.headers['content-encoding']).toBe('gzip');
  });

  test('a sampler without regard for the caller records what the caller does not', async () => {
    await using upstream = await startUpstream();
    await using collector = await startCollector();
    await using gateway = await startTraced(upstream, {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_TRACES_SAMPLER: 'always_on',
    });
    const headers = { 'postern-key': coder.key, traceparent: `00-${TRACE}-${SPAN}-00` };
    const answer = await call(gateway.dataUrl, '/to/api/x', { headers });
    const [server] = await eventualSpans(collector, answer.headers['postern-request-id'], 2);
    expect(server).toMatchObject({ traceId: TRACE, parentSpanId: SPAN });
    expect(upstream.requests.at(-1)?.headers['traceparent']).toMatch(/-01$/);
  });

  // prom-client brings the API, which is small; the SDK is not.
  test('none, and nothing of the SDK is loaded, when no endpoint is named', async () => {
    await using upstream = await startUpstream();
    const hook = `import{registerHooks}from'node:module';registerHooks({resolve(s,c,n){if(/^@opentelemetry\\/(?!api$)/.test(s))process.stderr.write('LOADED '+s+'\\n');return n(s,c)}})`;
    const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(hook)}`;
    await using gateway = await startTraced(upstream, { NODE_OPTIONS, OTEL_SERVICE_NAME: 'x' });
    await call(gateway.dataUrl, '/to/api/x', { headers: { 'postern-key': coder.key } });
    expect(gateway.stderr()).not.toContain('LOADED');
    await using other = await startTraced(upstream, { NODE_OPTIONS, OTEL_EXPORTER_OTLP_ENDPOINT: upstream.url });
    expect(other.stderr()).toContain('LOADED @opentelemetry/');
  });
});

test('without a collector a trace passes through, and its state only with it', async () => {
  await using upstream = await startUpstream();
  await using gateway = await startTraced(upstream, {});
  const sent = async (headers: Record<string, string>) => {
    await call(gateway.dataUrl, '/to/api/x', { headers: { 'postern-key': coder.key, ...headers } });
    const { traceparent = '', tracestate } = upstream.requests.at(-1)?.headers ?? {};
    return { traceparent, tracestate };
  };
  const valid = await sent({ traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: 'a=b' });
  expect(valid).toEqual({
    traceparent: expect.stringMatching(`^00-${TRACE}-(?!${SPAN})[0-9a-f]{16}-01$`),
    tracestate: 'a=b',
  });
  for (const traceparent of [
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01-x`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    'x',
  ]) {
    const begun = await sent({ traceparent, tracestate: 'a=b' });
    expect(begun.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    expect(begun.traceparent).not.toContain(TRACE);
    expect(begun.tracestate).toBeUndefined();
  }
  expect((await sent({ tracestate: 'a=b' })).tracestate).toBeUndefined();
  const { text } = await call(gateway.adminUrl, '/metrics');
  expect(text).not.toContain('postern_spans_dropped_total');
});

test.each([
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'collector:4318', /http:\/\//],
  ['OTEL_EXPORTER_OTLP_ENDPOINT', 'nonsense', /http:\/\//],
  ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'ftp://x', /http:\/\//],
  ['OTEL_EXPORTER_OTLP_PROTOCOL', 'grpc', /http\/protobuf/],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'no-value', /name=value/],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'a=%zz', /name=value/],
  ['OTEL_EXPORTER_OTLP_HEADERS', 'a=b%0d%0ax:y', /header field/],
  ['OTEL_EXPORTER_OTLP_TIMEOUT', '-1', /whole number/],
  ['OTEL_EXPORTER_OTLP_CERTIFICATE', '/no/such/file.pem', /ENOENT/],
  ['OTEL_TRACES_EXPORTER', 'console', /otlp, none/],
  ['OTEL_TRACES_SAMPLER', 'sometimes', /parentbased_traceidratio/],
  ['OTEL_TRACES_SAMPLER_ARG', '2', /from 0 to 1/],
  ['OTEL_TRACES_SAMPLER_ARG', 'x', /from 0 to 1/],
  ['OTEL_BSP_MAX_QUEUE_SIZE', '0', /whole number/],
  ['OTEL_BSP_MAX_EXPORT_BATCH_SIZE', '4096', /OTEL_BSP_MAX_QUEUE_SIZE/],
  ['OTEL_METRIC_EXPORT_INTERVAL', '1.5', /whole number/],
  ['OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE', 'delta', /cumulative/],
])('%s=%s is refused at start, with what would be right', async (name, value, remedy) => {
  const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4318' };
  const message = await refusedStart({ environment: { ...endpoint, [name]: value } });
  expect(message).toContain(name);
  expect(message).toMatch(remedy);
});
