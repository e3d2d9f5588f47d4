import type { BreakerState, UpstreamLane } from '@postern/proxy-runtime';
import { Counter, Gauge, Registry } from 'prom-client';
import { CountedHistogram } from './counted-histogram.ts';
import type { CallMetrics } from './gateway.ts';
import {
  type CountedElsewhere,
  type GaugesByLabel,
  type MetricSeries,
  readSeries,
  registerCounted,
  registerGauges,
} from './metric-series.ts';
import type { WideEvent } from './wide-event.ts';

/** The gateway's metrics and their text form. No label value is made by an agent: unknown integrations count under `-`. */
export interface GatewayMetrics extends CallMetrics {
  /** Prometheus exposition format. */
  text(): Promise<string>;
  /** The same as values. */
  series(): Promise<readonly MetricSeries[]>;
  /** A try at a notification, by how it ended; a closed list. */
  countNotification(outcome: string): void;
  /** Adds what somebody else counts. */
  register(counted: CountedElsewhere): void;
  registerByLabel(gauges: GaugesByLabel): void;
}

type CallOutcome = 'passed' | 'refused' | 'failed';

interface CallCount {
  readonly labels: { integration: string; outcome: CallOutcome; code: string };
  value: number;
}

/** An integration's way out, as far as metrics look at it. */
export interface MeasuredLane {
  /** The integration's name. */
  readonly name: string;
  readonly lane: UpstreamLane;
}

/** `lanes`: those in use, asked for whenever somebody reads the metrics. */
export function createMetrics(
  auditLagSeconds: () => number,
  lanes: () => Iterable<MeasuredLane> = () => [],
): GatewayMetrics {
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
  const toTheEnd = 'From the request head to the end of the answer';
  const seconds = new CountedHistogram('postern_call_seconds', toTheEnd, registry);
  const countBy = (name: string, help: string, label: string) => labelCounter(registry, { name, help, label });
  measureLanes(registry, lanes);
  registerCounted(registry, {
    name: 'postern_audit_lag_seconds',
    help: 'Age of the oldest audit entry that is not durable yet',
    type: 'gauge',
    read: auditLagSeconds,
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
    countUpstreamError: countBy(
      'postern_upstream_errors_total',
      'Failed attempts at an upstream and calls refused without one, by class',
      'class',
    ),
    countCredentialError: countBy(
      'postern_credential_errors_total',
      'Tokens that could not be minted, by class',
      'class',
    ),
    countScorerError: countBy(
      'postern_risk_scorer_errors_total',
      'Calls that a risk scorer could not be heard on, by class',
      'class',
    ),
    countNotification: countBy('postern_notifications_total', 'Tries at notifications, by how they ended', 'outcome'),
    countRetry: countBy('postern_upstream_retries_total', 'Further attempts at an upstream', 'integration'),
    text: () => registry.metrics(),
    series: () => readSeries(registry),
    register: (counted) => registerCounted(registry, counted),
    registerByLabel: (gauges) => registerGauges(registry, gauges),
  };
}

/** A counter with one label, as the function that counts. */
function labelCounter(
  registry: Registry,
  { name, help, label }: { readonly name: string; readonly help: string; readonly label: string },
): (value: string) => void {
  const counter = new Counter({ name, help, labelNames: [label], registers: [registry] });
  return (value) => counter.inc({ [label]: value });
}

/** Two tenants may use one name: then the higher value is told. */
function measureLanes(registry: Registry, lanes: () => Iterable<MeasuredLane>): void {
  new Gauge({
    name: 'postern_upstream_saturation',
    help: 'Calls now running as a share of the limit, 0 to 1',
    labelNames: ['integration'],
    registers: [registry],
    collect() {
      setHighest(this, lanes(), ({ lane }) => lane.inFlight / lane.limits.concurrency);
    },
  });
  new Gauge({
    name: 'postern_upstream_breaker_state',
    help: '0: closed, 1: half open, 2: open',
    labelNames: ['integration'],
    registers: [registry],
    collect() {
      setHighest(this, lanes(), ({ lane }) => BREAKER_STATES[lane.breakerState]);
    },
  });
}

const BREAKER_STATES: Record<BreakerState, number> = { closed: 0, half_open: 1, open: 2 };

function setHighest(
  gauge: Gauge<'integration'>,
  lanes: Iterable<MeasuredLane>,
  measure: (measured: MeasuredLane) => number,
): void {
  const highest = new Map<string, number>();
  for (const measured of lanes) {
    highest.set(measured.name, Math.max(measure(measured), highest.get(measured.name) ?? 0));
  }
  gauge.reset();
  for (const [integration, value] of highest) gauge.set({ integration }, value);
}

function outcomeOf(event: WideEvent): CallOutcome {
  if (event.code === undefined) return 'passed';
  return event.intentRecorded ? 'failed' : 'refused';
}
