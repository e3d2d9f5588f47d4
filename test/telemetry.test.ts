import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import {
  type Collector,
  coder,
  eventualSpans,
  SECRET,
  SPAN,
  spansOf,
  startCollector,
  startTraced,
  TRACE,
} from './support/collector.ts';
import { call } from './support/http-client.ts';
import type { RunningGateway } from './support/start-gateway.ts';

describe('a gateway that is told of a collector', () => {
  let upstream: Upstream;
  let collector: Collector;
  let gateway: RunningGateway;
  const key = { 'postern-key': coder.key };

  beforeAll(async () => {
    upstream = await startUpstream();
    collector = await startCollector();
    gateway = await startTraced(upstream, {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20collector-token,x-team=a%2Cb',
      OTEL_RESOURCE_ATTRIBUTES: 'team=gateways,service.instance.id=one%20of%20many',
      OTEL_SERVICE_NAME: 'egress',
      POSTERN_ENVIRONMENT: 'staging',
    });
  });

  afterAll(async () => {
    await gateway?.close();
    await collector?.server.close();
    await upstream?.close();
  });

  const get = (path: string, headers: Record<string, string> = {}) =>
    call(gateway.dataUrl, path, { headers: { ...key, ...headers } });

  test('sends two spans of a call, in the words of the HTTP conventions', async () => {
    const answer = await get('/to/api/items/7?q=words-of-a-query');
    const requestId = answer.headers['postern-request-id'];
    const [server, client] = await eventualSpans(collector, requestId, 2);
    const { port } = new URL(gateway.dataUrl);
    const ours = {
      'postern.request_id': requestId,
      'postern.tenant': 'default',
      'postern.agent': 'coder',
      'postern.integration': 'api',
      'postern.action': 'items',
      'postern.decision': 'allow',
      'postern.rule': 'all',
    };
    expect(server).toMatchObject({ name: 'GET /to/{integration}/{path}', kind: 'server', status: 'unset', events: [] });
    expect(server?.attributes).toEqual({
      ...ours,
      'http.request.method': 'GET',
      'http.response.status_code': 200,
      'http.route': '/to/{integration}/{path}',
      'url.scheme': 'http',
      'url.path': '/to/api/items/7',
      'server.address': '127.0.0.1',
      'server.port': Number(port),
      'client.address': '127.0.0.1',
      'network.peer.address': '127.0.0.1',
      'network.protocol.version': '1.1',
    });
    expect(client).toMatchObject({ name: 'GET', kind: 'client', status: 'unset', events: [] });
    expect(client?.attributes).toEqual({
      ...ours,
      'http.request.method': 'GET',
      'http.response.status_code': 200,
      'url.full': `${upstream.url}/v1/items/7`,
      'url.scheme': 'http',
      'server.address': '127.0.0.1',
      'server.port': upstream.port,
      'network.peer.address': '127.0.0.1',
      'network.peer.port': upstream.port,
      'network.protocol.version': '1.1',
    });
    expect(server?.resource).toMatchObject({
      'service.name': 'egress',
      'service.instance.id': 'one of many',
      'deployment.environment.name': 'staging',
      'telemetry.sdk.language': 'nodejs',
      team: 'gateways',
    });
    expect(server?.scope).toBe('postern');
  });

  test('sends what the operator asks for along', async () => {
    await get('/to/api/items/8');
    await collector.server.waitForRequests(1);
    const request = collector.server.requests.find(({ url }) => url === '/v1/traces');
    expect(request?.headers).toMatchObject({
      authorization: 'Bearer collector-token',
      'x-team': 'a,b',
      'content-type': 'application/x-protobuf',
    });
  });

  test('nests them: the caller’s span, ours, the one that the upstream is told', async () => {
    const answer = await get('/to/api/items/9', { traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: 'a=b' });
    const [server, client] = await eventualSpans(collector, answer.headers['postern-request-id'], 2);
    expect(server).toMatchObject({ traceId: TRACE, parentSpanId: SPAN });
    expect(client).toMatchObject({ traceId: TRACE, parentSpanId: server?.spanId });
    const sent = upstream.requests.at(-1)?.headers;
    expect(sent).toMatchObject({ traceparent: `00-${TRACE}-${client?.spanId}-01`, tracestate: 'a=b' });
    expect(new Set([SPAN, server?.spanId, client?.spanId]).size).toBe(3);
    expect(server?.startNanos).toBeLessThanOrEqual(client?.startNanos ?? 0n);
    expect(client?.startNanos).toBeLessThan(client?.endNanos ?? 0n);
    expect(client?.endNanos).toBeLessThanOrEqual(server?.endNanos ?? 0n);
    expect(Math.abs(Number((server?.startNanos ?? 0n) / 1_000_000n) - Date.now())).toBeLessThan(60_000);
  });

  test('begins a trace that is named like the request, and tells the upstream that it is recorded', async () => {
    const answer = await get('/to/api/items/10', { tracestate: 'of=nothing' });
    const requestId = answer.headers['postern-request-id'];
    const [server, client] = await eventualSpans(collector, requestId, 2);
    expect(server).toMatchObject({ traceId: requestId?.replaceAll('-', ''), parentSpanId: '' });
    const sent = upstream.requests.at(-1)?.headers;
    expect(sent?.['traceparent']).toBe(`00-${server?.traceId}-${client?.spanId}-01`);
    expect(sent).not.toHaveProperty('tracestate');
  });

  test('the log’s line names the trace', async () => {
    const answer = await get('/to/api/items/11', { traceparent: `00-${TRACE}-${SPAN}-01` });
    const requestId = answer.headers['postern-request-id'] ?? '';
    const line = await vi.waitFor(() => {
      const found = gateway
        .stderr()
        .split('\n')
        .find((text) => text.includes(requestId));
      return JSON.parse(found ?? '');
    });
    expect(line).toMatchObject({ traceId: TRACE, requestId });
  });

  test('a trace that its caller does not record makes no span, and stays unrecorded', async () => {
    await get('/to/api/items/12', { traceparent: `00-${TRACE.replace('0', '1')}-${SPAN}-00` });
    expect(upstream.requests.at(-1)?.headers['traceparent']).toMatch(/-00$/);
    const after = await get('/to/api/items/13');
    await eventualSpans(collector, after.headers['postern-request-id'], 2);
    expect(collector.spans().filter(({ traceId }) => traceId === TRACE.replace('0', '1'))).toEqual([]);
  });

  test('a call in a document is of the trace that the document names, else of its request’s', async () => {
    const execute = (headers: object, own: Record<string, string>) =>
      call(gateway.dataUrl, '/v1/execute', {
        headers: { ...key, 'content-type': 'application/json', ...own },
        body: JSON.stringify({ integration: 'api', request: { method: 'GET', path: '/items/14', headers } }),
      });
    const other = `${TRACE.slice(1)}e`;
    const request = { traceparent: `00-${TRACE}-${SPAN}-01` };
    const named = await execute({ traceparent: `00-${other}-${SPAN}-01` }, request);
    const [server, client] = await eventualSpans(collector, named.headers['postern-request-id'], 2);
    expect(server).toMatchObject({ traceId: other, parentSpanId: SPAN, name: 'POST /v1/execute' });
    expect(server?.attributes).toMatchObject({ 'http.request.method': 'POST', 'url.path': '/v1/execute' });
    expect(client).toMatchObject({ traceId: other, parentSpanId: server?.spanId, name: 'GET' });
    expect(upstream.requests.at(-1)?.headers['traceparent']).toBe(`00-${other}-${client?.spanId}-01`);

    const unnamed = await execute({ tracestate: 'of=another' }, request);
    const [ours] = await eventualSpans(collector, unnamed.headers['postern-request-id'], 2);
    expect(ours).toMatchObject({ traceId: TRACE, parentSpanId: SPAN });
    expect(upstream.requests.at(-1)?.headers['traceparent']).toContain(TRACE);
    expect(upstream.requests.at(-1)?.headers).not.toHaveProperty('tracestate');
  });

  test('a refusal is one span, with its code', async () => {
    const denied = await get('/to/api/admin/x');
    const [span] = await eventualSpans(collector, denied.headers['postern-request-id'], 1);
    expect(span).toMatchObject({ kind: 'server', status: 'unset' });
    expect(span?.attributes).toMatchObject({
      'http.response.status_code': 403,
      'error.type': 'denied',
      'postern.decision': 'deny',
      'postern.rule': 'no-admin',
    });
  });

  test('a stranger’s call tells of nobody, and its path is not repeated', async () => {
    const answer = await call(gateway.dataUrl, `/to/api/${coder.key}`);
    expect(answer.status).toBe(401);
    const [span] = await eventualSpans(collector, answer.headers['postern-request-id'], 1);
    expect(span?.name).toBe('GET');
    expect(Object.keys(span?.attributes ?? {})).not.toContain('url.path');
    expect(Object.keys(span?.attributes ?? {})).not.toContain('postern.agent');
  });

  test('an upstream that fails is an error of its span, and every attempt is told', async () => {
    upstream.answerWith((_request, response) => void response.writeHead(503).end());
    const answer = await get('/to/api/items/20');
    upstream.answerWith((_request, response) => void response.end('well'));
    const [server, client] = await eventualSpans(collector, answer.headers['postern-request-id'], 2);
    expect(server).toMatchObject({ status: 'error' });
    expect(server?.attributes).toMatchObject({ 'http.response.status_code': 503, 'error.type': '503' });
    expect(client).toMatchObject({ status: 'error' });
    expect(client?.attributes).toMatchObject({
      'http.response.status_code': 503,
      'http.request.resend_count': 2,
      'error.type': '503',
    });
    expect(client?.events.map(({ name, attributes }) => [name, attributes['postern.attempt.number']])).toEqual([
      ['postern.attempt', 1],
      ['postern.attempt', 2],
      ['postern.attempt', 3],
    ]);
  });

  test('an upstream that breaks the connection off gives its code to both spans', async () => {
    upstream.answerWith((_request, response) => void response.destroy());
    const answer = await call(gateway.dataUrl, '/to/api/items/21', { method: 'POST', headers: key, body: 'x' });
    upstream.answerWith((_request, response) => void response.end('well'));
    expect(answer.status).toBe(502);
    const [server, client] = await eventualSpans(collector, answer.headers['postern-request-id'], 2);
    for (const span of [server, client]) {
      expect(span?.attributes['error.type']).toBe('upstream_reset');
      expect(span?.status).toBe('error');
    }
    expect(client?.attributes).not.toHaveProperty('http.response.status_code');
  });

  test('methods that nobody knows make no names of spans', async () => {
    const answer = await call(gateway.dataUrl, '/to/api/items/22', { method: 'REPORT', headers: key });
    const [server] = await eventualSpans(collector, answer.headers['postern-request-id'], 2);
    expect(server?.name).toBe('HTTP /to/{integration}/{path}');
    expect(server?.attributes).toMatchObject({
      'http.request.method': '_OTHER',
      'http.request.method_original': 'REPORT',
    });
  });

  test('questions to the gateway itself are no calls', async () => {
    await call(gateway.dataUrl, '/healthz');
    await get('/v1/whoami');
    const after = await get('/to/api/items/23');
    await eventualSpans(collector, after.headers['postern-request-id'], 2);
    const names = collector.spans().map(({ name }) => name);
    expect(names.filter((name) => /healthz|whoami/.test(name))).toEqual([]);
  });

  test('no span holds a secret, a key, a query or a body', async () => {
    const inBody = 'words-of-a-body';
    await call(gateway.dataUrl, '/to/api/items/24?q=words-of-a-query', { headers: key, body: inBody });
    const last = await get('/to/api/items/25');
    await eventualSpans(collector, last.headers['postern-request-id'], 2);
    const bytes = Buffer.concat(collector.server.requests.map(({ body }) => body)).toString('latin1');
    for (const hidden of [SECRET, coder.key, coder.key.slice(15), inBody, 'words-of-a-query']) {
      expect(bytes).not.toContain(hidden);
    }
    expect(bytes).toContain('/to/api/items/24');
  });

  test('calls of one millisecond and one trace have spans of their own', async () => {
    const trace = 'a'.repeat(32);
    const headers = { traceparent: `00-${trace}-${SPAN}-01` };
    await Promise.all(Array.from({ length: 40 }, () => get('/to/api/items/26', headers)));
    const spans = await vi.waitFor(
      () => {
        const found = collector.spans().filter(({ traceId }) => traceId === trace);
        expect(found.length).toBe(80);
        return found;
      },
      { timeout: 5_000 },
    );
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(80);
    const servers = new Set(spans.filter(({ kind }) => kind === 'server').map(({ spanId }) => spanId));
    for (const { kind, parentSpanId } of spans)
      expect(kind === 'server' ? parentSpanId === SPAN : servers.has(parentSpanId)).toBe(true);
  });

  test('sends the series of /metrics, under the same names and with the same values', async () => {
    await get('/to/api/items/27');
    const { text } = await call(gateway.adminUrl, '/metrics');
    const shown = new Map(
      [...text.matchAll(/^(postern_[^ ]+) (.+)$/gm)].map(([, name, value]) => [name, Number(value)]),
    );
    const passed = [...shown].find(([name]) => name?.includes('outcome="passed",code="200"'))?.[1] ?? 0;
    expect(passed).toBeGreaterThan(0);
    const metrics = await vi.waitFor(
      () => {
        const told = collector.metrics();
        const calls = told.find(({ name }) => name === 'postern_calls_total');
        const point = calls?.points.find(({ attributes }) => attributes['code'] === '200');
        expect(point?.value).toBe(passed);
        expect(point?.attributes).toEqual({ integration: 'api', outcome: 'passed', code: '200' });
        return told;
      },
      { timeout: 5_000 },
    );
    const named = new Set([...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name));
    expect(new Set(metrics.map(({ name }) => name))).toEqual(named);
    const calls = metrics.find(({ name }) => name === 'postern_calls_total');
    expect(calls).toMatchObject({ kind: 'sum', isMonotonic: true, isCumulative: true });
    expect(calls?.resource).toMatchObject({ 'service.name': 'egress' });
    const seconds = metrics.find(({ name }) => name === 'postern_call_seconds');
    expect(seconds).toMatchObject({ kind: 'histogram', unit: 's', isCumulative: true });
    const [point] = seconds?.points ?? [];
    expect(point?.count).toBe(BigInt(shown.get('postern_call_seconds_count') ?? 0));
    expect(point?.bucketCounts.reduce((sum, count) => sum + count, 0n)).toBe(point?.count);
    expect(point?.bucketCounts.length).toBe((point?.bounds.length ?? 0) + 1);
    expect(metrics.find(({ name }) => name === 'postern_audit_lag_seconds')).toMatchObject({ kind: 'gauge' });
  });

  test('sends what is left when it stops', async () => {
    await using late = await startCollector();
    await using other = await startTraced(upstream, {
      OTEL_EXPORTER_OTLP_ENDPOINT: `${late.url}/`,
      OTEL_BSP_SCHEDULE_DELAY: '60000',
      OTEL_METRIC_EXPORT_INTERVAL: '60000',
    });
    const answer = await call(other.dataUrl, '/to/api/items/28', { headers: key });
    expect(late.server.requests.length).toBe(0);
    expect(await other.kill('SIGTERM')).toMatchObject({ code: 0 });
    expect(spansOf(late, answer.headers['postern-request-id']).length).toBe(2);
    expect(late.metrics().map(({ name }) => name)).toContain('postern_calls_total');
  });
});
