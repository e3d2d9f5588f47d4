import { Counter, Gauge, Registry } from 'prom-client';
import { CountedHistogram } from './counted-histogram.ts';
import type { CallMetrics } from './gateway.ts';
import type { WideEvent } from './wide-event.ts';

/** The gateway's metrics and their text form. No label value is made by an agent: unknown integrations count under `-`. */
export interface GatewayMetrics extends CallMetrics {
  /** Prometheus exposition format. */
  text(): Promise<string>;
}

type CallOutcome = 'passed' | 'refused' | 'failed';

interface CallCount {
  readonly labels: { integration: string; outcome: CallOutcome; code: string };
  value: number;
}

export function createMetrics(auditLagSeconds: () => number): GatewayMetrics {
  const registry = new Registry();
  const registers = [registry];
  /** By integration, then outcome and code; told to prom-client when somebody asks: its own counting is too dear for every call. */
  const counts = new Map<string, Map<string | number, CallCount>>();
  new Counter({
    name: 'postern_calls_total',
    help: 'Calls by their end',
    labelNames: ['integration', 'outcome', 'code'],
    registers,
    collect() {
      this.reset();
      for (const byEnd of counts.values()) for (const { labels, value } of byEnd.values()) this.inc(labels, value);
    },
  });
  const seconds = new CountedHistogram(
    'postern_call_seconds',
    'From the request head to the end of the answer',
    registry,
  );
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

  return {
    countCall(event, durationSeconds) {
      // A question to the gateway itself, answered: no call.
      if (event.integration === undefined && event.code === undefined) return;
      const integration = event.url === undefined ? '-' : (event.integration ?? '-');
      let byEnd = counts.get(integration);
      if (byEnd === undefined) {
        byEnd = new Map();
        counts.set(integration, byEnd);
      }
      // A status alone is a call that passed; a code belongs to one outcome, but for those that can come before and after stage 9.
      const end = event.code === undefined ? (event.status ?? 0) : outcomeOf(event) + event.code;
      let count = byEnd.get(end);
      if (count === undefined) {
        count = {
          labels: { integration, outcome: outcomeOf(event), code: event.code ?? String(event.status ?? '-') },
          value: 0,
        };
        byEnd.set(end, count);
      }
      count.value += 1;
      seconds.count(durationSeconds);
    },
    countUpstreamError(code) {
      upstreamErrors.inc({ class: code });
    },
    text: () => registry.metrics(),
  };
}

function outcomeOf(event: WideEvent): CallOutcome {
  if (event.code === undefined) return 'passed';
  return event.intentRecorded ? 'failed' : 'refused';
}
