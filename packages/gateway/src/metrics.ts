import type { BreakerState, UpstreamLane } from '@postern/proxy-runtime';
import { DurationCounts } from './duration-counts.ts';
import { EndedCalls } from './ended-calls.ts';
import type { CallMetrics } from './gateway.ts';
import type { MetricRegistry } from './metric-registry.ts';
import type { CountedByLabels, MetricSeries, MetricSource } from './metric-source.ts';

/** The gateway's metrics and their text form. No label value is made by an agent: unknown integrations count under `-`. */
export interface GatewayMetrics extends CallMetrics {
  /** Prometheus exposition format. */
  text(): Promise<string>;
  /** The same as values. */
  series(): Promise<readonly MetricSeries[]>;
  /** A try at a notification, by how it ended; a closed list. */
  countNotification(outcome: string): void;
  /** Adds what somebody else counts. */
  register(source: MetricSource): void;
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
  /** In the order of the text, until somebody asks for it: a node that nobody asks loads nothing of prom-client. */
  const waiting: MetricSource[] = [];
  let registry: MetricRegistry | undefined;
  const current = async () => {
    const loaded = await import('./metric-registry.ts');
    registry ??= new loaded.MetricRegistry();
    for (const source of waiting.splice(0)) registry.add(source);
    return registry;
  };
  const calls = new EndedCalls();
  const seconds = new DurationCounts();
  const help = 'From the request head to the end of the answer';
  waiting.push(calls.source, { name: 'postern_call_seconds', help, type: 'histogram', counts: seconds });
  const countBy = (name: string, help: string, label: string) => {
    const byValue = new Map<string, number>();
    waiting.push({ name, help, type: 'counter', labels: [label], readAll: () => labelled(label, byValue) });
    return (value: string) => void byValue.set(value, (byValue.get(value) ?? 0) + 1);
  };
  waiting.push(...laneGauges(lanes), {
    name: 'postern_audit_lag_seconds',
    help: 'Age of the oldest audit entry that is not durable yet',
    type: 'gauge',
    read: auditLagSeconds,
  });

  return {
    countCall(event, durationSeconds) {
      if (calls.count(event)) seconds.count(durationSeconds);
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
    text: async () => (await current()).text(),
    series: async () => (await current()).series(),
    register: (source) => void waiting.push(source),
  };
}

function* labelled(label: string, byValue: ReadonlyMap<string, number>): ReturnType<CountedByLabels['readAll']> {
  for (const [value, number] of byValue) yield [{ [label]: value }, number];
}

/** Two tenants may use one name: then the higher value is told. */
function laneGauges(lanes: () => Iterable<MeasuredLane>): CountedByLabels[] {
  const gauge = (name: string, help: string, measure: (lane: UpstreamLane) => number): CountedByLabels => ({
    ...{ name, help, type: 'gauge', labels: ['integration'] },
    readAll: () => labelled('integration', highest(lanes(), measure)),
  });
  return [
    gauge(
      'postern_upstream_saturation',
      'Calls now running as a share of the limit, 0 to 1',
      (lane) => lane.inFlight / lane.limits.concurrency,
    ),
    gauge(
      'postern_upstream_breaker_state',
      '0: closed, 1: half open, 2: open',
      (lane) => BREAKER_STATES[lane.breakerState],
    ),
  ];
}

const BREAKER_STATES: Record<BreakerState, number> = { closed: 0, half_open: 1, open: 2 };

function highest(lanes: Iterable<MeasuredLane>, measure: (lane: UpstreamLane) => number): Map<string, number> {
  const byName = new Map<string, number>();
  for (const { name, lane } of lanes) byName.set(name, Math.max(measure(lane), byName.get(name) ?? 0));
  return byName;
}
