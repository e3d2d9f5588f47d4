import { createLane, createUndiciTransport } from '@postern/proxy-runtime';
import { describe, expect, it } from 'vitest';
import { createMetrics } from './metrics.ts';
import { WideEvent } from './wide-event.ts';

function endedCall(members: Partial<WideEvent>): WideEvent {
  return Object.assign(new WideEvent('id', 0, 0), members);
}

describe('metrics', () => {
  it('count calls by integration, outcome and code, and the integration only once it is known to exist', async () => {
    const metrics = createMetrics(() => 0);
    const passed = endedCall({
      integration: 'github',
      url: 'https://api.github.com/x',
      status: 200,
      intentRecorded: true,
    });
    metrics.countCall(passed, 0.002);
    metrics.countCall(passed, 0.002);
    metrics.countCall(endedCall({ integration: 'made-by-an-agent', status: 404, code: 'unknown_integration' }), 0.0001);
    const text = await metrics.text();
    expect(text).toContain('postern_calls_total{integration="github",outcome="passed",code="200"} 2\n');
    expect(text).toContain('postern_calls_total{integration="-",outcome="refused",code="unknown_integration"} 1\n');
    expect(text).not.toContain('made-by-an-agent');
    expect(await metrics.text(), 'asking does not count again').toBe(text);
  });

  it('put a duration that equals a bound into its bucket, and the next one above', async () => {
    const metrics = createMetrics(() => 0);
    for (const seconds of [0.001, 0.0011, 31])
      metrics.countCall(endedCall({ integration: 'github', status: 200 }), seconds);
    const text = await metrics.text();
    expect(text).toContain('# TYPE postern_call_seconds histogram');
    expect(text).toContain('postern_call_seconds_bucket{le="0.001"} 1\n');
    expect(text).toContain('postern_call_seconds_bucket{le="0.0025"} 2\n');
    expect(text).toContain('postern_call_seconds_bucket{le="30"} 2\n');
    expect(text).toContain('postern_call_seconds_bucket{le="+Inf"} 3\n');
    expect(text).toContain('postern_call_seconds_count 3\n');
  });

  it('tell how full each integration is and how its breaker stands, the worst where two tenants use one name', async () => {
    const transport = createUndiciTransport();
    const limits = { responseBytes: 1, streamBytes: 1, concurrency: 4 };
    const timeouts = { connectMs: 1, firstByteMs: 1, totalMs: 1, idleMs: 1, streamMs: 1 };
    const lane = createLane({ transport, timeouts, limits, baseUrl: 'https://api.test' });
    const full = { ...lane, inFlight: 3, breakerState: 'open' as const };
    const probed = { ...lane, inFlight: 1, breakerState: 'half_open' as const };
    let lanes = [
      { name: 'api', lane },
      { name: 'api', lane: full },
      { name: 'api', lane },
      { name: 'other', lane: probed },
    ];
    const metrics = createMetrics(
      () => 0,
      () => lanes,
    );
    const text = await metrics.text();
    expect(text).toContain('postern_upstream_saturation{integration="api"} 0.75\n');
    expect(text).toContain('postern_upstream_saturation{integration="other"} 0.25\n');
    expect(text).toContain('postern_upstream_breaker_state{integration="api"} 2\n');
    expect(text).toContain('postern_upstream_breaker_state{integration="other"} 1\n');
    lanes = [{ name: 'other', lane }];
    const later = await metrics.text();
    expect(later).toContain('postern_upstream_breaker_state{integration="other"} 0\n');
    expect(later, 'an integration that is gone is not told of').not.toContain('"api"');
    await transport.close();
  });

  it('count further attempts by integration', async () => {
    const metrics = createMetrics(() => 0);
    metrics.countRetry('api');
    metrics.countRetry('api');
    expect(await metrics.text()).toContain('postern_upstream_retries_total{integration="api"} 2\n');
  });

  it('tell the age of the oldest entry that is not durable', async () => {
    expect(await createMetrics(() => 1.5).text()).toContain('postern_audit_lag_seconds 1.5\n');
  });

  it('tell what is registered after they were read, and keep the last value of what cannot be read', async () => {
    const metrics = createMetrics(() => 0);
    expect(await metrics.text()).not.toContain('waiting');
    let read = async () => 3;
    metrics.register({ name: 'waiting', help: 'Those that wait', type: 'gauge', read: () => read() });
    metrics.countRetry('api');
    expect(await metrics.text()).toContain('waiting 3\n');
    read = () => Promise.reject(new Error('the store is away'));
    const text = await metrics.text();
    expect(text).toContain('waiting 3\n');
    expect(text).toContain('postern_upstream_retries_total{integration="api"} 1\n');
  });

  it('tell a closed list of labels as it is now', async () => {
    const metrics = createMetrics(() => 0);
    let up = 1;
    metrics.register({
      ...{ name: 'up', help: 'Whether it answers', type: 'gauge', labels: ['dependency'] },
      readAll: () => [[{ dependency: 'database' }, up]],
    });
    expect(await metrics.text()).toContain('up{dependency="database"} 1\n');
    up = 0;
    expect(await metrics.text()).toContain('up{dependency="database"} 0\n');
    expect(await metrics.series()).toContainEqual(
      expect.objectContaining({ name: 'up', values: [{ labels: { dependency: 'database' }, value: 0 }] }),
    );
  });
});
