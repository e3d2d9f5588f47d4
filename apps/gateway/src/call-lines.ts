import type { WideEvent } from '@postern/gateway';

/** Makes the line of one call, with its line feed. */
export type CallLine = (event: WideEvent, latencyMs: number) => string;

/**
 * The one wide line of each call, as JSON in pino's shape (`level`, `time`, `msg`). Written here and not by pino because it is on
 * the path of every call. Field names are stable: `docs/guides/operations.md` lists them.
 */
export function createCallLine(base: Readonly<Record<string, string>>): CallLine {
  const constant = Object.entries(base)
    .map(([name, value]) => `,${JSON.stringify(name)}:${JSON.stringify(value)}`)
    .join('');
  const time = createIsoTime();
  return (event, latencyMs) =>
    `{"level":30,"time":"${time(event.receivedAt)}"${constant},"requestId":"${event.requestId}"${fields(event)},"latencyMs":${Math.round(latencyMs * 100) / 100},"msg":"call"}\n`;
}

/** Names, codes, canonical URLs and addresses hold nothing that JSON escapes; what a client wrote freely may. */
function fields(event: WideEvent): string {
  return (
    (event.correlation === undefined ? '' : `,"correlation":${JSON.stringify(event.correlation)}`) +
    plain('tenant', event.tenant) +
    plain('agent', event.agent) +
    plain('integration', event.integration) +
    plain('action', event.action) +
    plain('method', event.method) +
    plain('url', event.url) +
    plain('decision', event.decision) +
    plain('rule', event.rule) +
    plain('queuedCall', event.queuedCall) +
    plain('approval', event.approval) +
    plain('grant', event.grant) +
    (event.risk === undefined ? '' : `,"risk":${event.risk.score}${labelsOf(event.risk.labels)}`) +
    (event.policyErrors === undefined ? '' : `,"policyErrors":${event.policyErrors.length}`) +
    (event.shadow === undefined ? '' : `,"shadow":${JSON.stringify(event.shadow)}`) +
    (event.attempt === undefined ? '' : `,"attempt":${event.attempt}`) +
    (event.status === undefined ? '' : `,"status":${event.status}`) +
    plain('code', event.code) +
    plain('address', event.address) +
    plain('client', event.clientAddress) +
    (event.trace === undefined ? '' : `,"traceId":"${event.trace.traceId}"`)
  );
}

function labelsOf(labels: readonly string[]): string {
  return labels.length === 0 ? '' : `,"riskLabels":${JSON.stringify(labels)}`;
}

function plain(name: string, value: string | undefined): string {
  return value === undefined ? '' : `,"${name}":"${value}"`;
}

/** ISO 8601 text of a time; most calls share their second with the one before. */
function createIsoTime(): (at: number) => string {
  let second = -1;
  let prefix = '';
  return (at) => {
    const its = Math.floor(at / 1_000);
    if (its !== second) {
      second = its;
      prefix = new Date(its * 1_000).toISOString().slice(0, 20);
    }
    return `${prefix}${String(at - its * 1_000).padStart(3, '0')}Z`;
  };
}
