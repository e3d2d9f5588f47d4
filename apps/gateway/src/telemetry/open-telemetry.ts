import type { GatewayMetrics } from '@postern/gateway';
import type { Log } from '../log.ts';
import type { Settings } from '../settings.ts';
import type { Telemetry } from './start-telemetry.ts';

export interface OpenTelemetryParts {
  readonly settings: Settings;
  readonly node: string;
  readonly publicUrl: () => string;
  readonly metrics: GatewayMetrics;
  readonly log: Log;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** undefined: telemetry is off, and nothing of it is loaded. */
export async function openTelemetry(parts: OpenTelemetryParts): Promise<Telemetry | undefined> {
  const { settings, metrics, log } = parts;
  if (settings.telemetry === undefined) return undefined;
  const { startTelemetry } = await import('./start-telemetry.ts');
  const telemetry = startTelemetry({
    settings: settings.telemetry,
    node: parts.node,
    environment: settings.environment,
    publicUrl: parts.publicUrl,
    series: metrics.series,
    onUndelivered: (signal, problem) => log.logger.warn({ signal, problem }, 'telemetry not delivered'),
    now: parts.now,
  });
  metrics.register({
    name: 'postern_spans_dropped_total',
    help: 'Spans that could not be delivered',
    type: 'counter',
    read: telemetry.droppedSpans,
  });
  return telemetry;
}
