import type { CallLog, WideEvent } from '@postern/gateway';
import pino, { type DestinationStream, type Logger } from 'pino';
import type { LogLevel } from './settings.ts';

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: 'json' | 'pretty' | undefined;
  readonly node: string;
  readonly environment: string | undefined;
}

/** Lines gather for at most this long before they are written, so that a call does not pay for a write of its own. */
const FLUSH_EVERY_MS = 500;
const GATHER_BYTES = 8_192;

export interface Log extends CallLog {
  readonly logger: Logger;
  flush(): void;
}

/** Structured lines on stderr: pretty on a terminal, else JSON. */
export async function openLog(options: LogOptions): Promise<Log> {
  const destination = await openDestination(options.format ?? (process.stderr.isTTY ? 'pretty' : 'json'));
  const base = {
    node: options.node,
    ...(options.environment === undefined ? {} : { environment: options.environment }),
  };
  const logger = pino({ level: options.level, base, timestamp: pino.stdTimeFunctions.isoTime }, destination.stream);
  return {
    logger,
    flush: destination.flush,
    call: (event, latencyMs) => logger.info(callLine(event, latencyMs), 'call'),
    error: (error, doing, requestId) => logger.warn({ ...describeError(error), doing, requestId }, 'fault'),
  };
}

async function openDestination(format: 'json' | 'pretty'): Promise<{ stream: DestinationStream; flush: () => void }> {
  if (format === 'pretty') {
    const { default: pretty } = await import('pino-pretty');
    return { stream: pretty({ destination: 2, sync: true, ignore: 'pid,hostname' }), flush: () => undefined };
  }
  const stream = pino.destination({ dest: 2, sync: false, minLength: GATHER_BYTES, periodicFlush: FLUSH_EVERY_MS });
  return { stream, flush: () => flushNow(stream) };
}

function flushNow(stream: ReturnType<typeof pino.destination>): void {
  try {
    stream.flushSync();
  } catch {
    // Not open yet, or the reader of stderr has gone: there is nobody to tell.
  }
}

/** The one wide line of a call. Field names are stable. */
function callLine(event: WideEvent, latencyMs: number): Record<string, unknown> {
  return {
    requestId: event.requestId,
    correlation: event.correlation,
    tenant: event.tenant,
    agent: event.agent,
    integration: event.integration,
    action: event.action,
    method: event.method,
    url: event.url,
    decision: event.decision,
    rule: event.rule,
    status: event.status,
    code: event.code,
    address: event.address,
    client: event.clientAddress,
    latencyMs: Math.round(latencyMs * 100) / 100,
  };
}

const CAUSES_MAX = 4;

/** Names, codes and messages of an error and its causes; no other member, which might hold a request. */
function describeError(error: unknown): { error: string; stack?: string | undefined } {
  const parts: string[] = [];
  for (let cause = error; cause instanceof Error && parts.length < CAUSES_MAX; cause = cause.cause) {
    const code = 'code' in cause && typeof cause.code === 'string' ? ` (${cause.code})` : '';
    parts.push(`${cause.name}${code}: ${cause.message}`);
  }
  return { error: parts.join(' < ') || String(error), stack: error instanceof TypeError ? error.stack : undefined };
}
