import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { CallMetrics } from './gateway.ts';
import type { WideEvent } from './wide-event.ts';

/** The gateway's metrics and their text form. No label value is made by an agent: unknown integrations count under `-`. */
export interface GatewayMetrics extends CallMetrics {
  /** Prometheus exposition format. */
  text(): Promise<string>;
}

type CallOutcome = 'passed' | 'refused' | 'failed';

export function createMetrics(auditLagSeconds: () => number): GatewayMetrics {
  const registry = new Registry();
  const registers = [registry];
  const calls = new Counter({
    name: 'postern_calls_total',
    help: 'Calls by their end',
    labelNames: ['integration', 'outcome', 'code'],
    registers,
  });
  const seconds = new Histogram({
    name: 'postern_call_seconds',
    help: 'From the request head to the end of the answer',
    buckets: SECONDS_BUCKETS,
    registers,
  });
  const upstreamErrors = new Counter({
    name: 'postern_upstream_errors_total',
    help: 'Failed forwards by class',
    labelNames: ['class'],
    registers,
  });
  new Gauge({
    name: 'postern_audit_lag_seconds',
    help: 'Age of the oldest audit entry that is not durable yet',
    registers,
    collect() {
      this.set(auditLagSeconds());
    },
  });
  // Looking a child up by its labels costs more than counting it, so each is looked up once.
  const children = new Map<string, { inc(): void }>();

  return {
    countCall(event, durationSeconds) {
      const integration = event.url === undefined ? '-' : (event.integration ?? '-');
      const outcome = outcomeOf(event);
      const code = event.code ?? String(event.status ?? '-');
      const key = `${integration} ${outcome} ${code}`;
      let child = children.get(key);
      if (child === undefined) {
        child = calls.labels(integration, outcome, code);
        children.set(key, child);
      }
      child.inc();
      seconds.observe(durationSeconds);
    },
    countUpstreamError(code) {
      upstreamErrors.inc({ class: code });
    },
    text: () => registry.metrics(),
  };
}

const SECONDS_BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

function outcomeOf(event: WideEvent): CallOutcome {
  if (event.code === undefined) return 'passed';
  return event.intentRecorded ? 'failed' : 'refused';
}
