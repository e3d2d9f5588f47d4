import type { CallLog, WideEvent } from '@postern/gateway';
import type { AttemptReport } from '@postern/proxy-runtime';
import pino, { type Logger } from 'pino';
import { createCallLine } from './call-lines.ts';
import { LineQueue, type WriteBytes } from './line-queue.ts';
import type { LogLevel } from './settings.ts';
import { openStderr } from './write-stderr.ts';

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: 'json' | 'pretty' | undefined;
  readonly node: string;
  readonly environment: string | undefined;
  /** Default: stderr. */
  readonly write?: WriteBytes;
}

export interface Log extends CallLog {
  readonly logger: Logger;
  /** Lines that were lost because nobody took them in time. */
  dropped(): number;
  /** Resolves when all lines are written, or after two seconds. */
  flush(): Promise<void>;
}

/** A reader that takes nothing at the end of the program gets this long. */
const FLUSH_MS = 2_000;

/** Structured lines on stderr: pretty on a terminal, else JSON. */
export async function openLog(options: LogOptions): Promise<Log> {
  const format = options.format ?? (process.stderr.isTTY ? 'pretty' : 'json');
  const shown = format === 'pretty' ? await prettyLines() : asItIs;
  const base = {
    node: options.node,
    ...(options.environment === undefined ? {} : { environment: options.environment }),
  };
  const settings = { level: options.level, base, timestamp: pino.stdTimeFunctions.isoTime };
  const notice = createNotice(settings, shown);
  const queue = new LineQueue(options.write ?? openStderr(), { notice });
  const logger = pino(settings, { write: (line: string) => queue.addNow(shown(line)) });
  const callLine = createCallLine(base);
  const addCall: CallLog['call'] =
    shown === asItIs
      ? (event, latencyMs) => queue.add(callLine(event, latencyMs))
      : (event, latencyMs) => queue.add(shown(callLine(event, latencyMs)));
  return {
    logger,
    dropped: () => queue.dropped,
    flush: () => queue.drain(FLUSH_MS),
    call: logger.isLevelEnabled('info') ? addCall : () => undefined,
    attempt: (event, report) => logAttempt(logger, event, report),
    error: (error, doing, requestId) => logger.warn({ ...describeError(error), doing, requestId }, 'fault'),
  };
}

/** One line for each attempt at an upstream: a warning when it failed, else for whoever looks closely. */
function logAttempt(logger: Logger, { requestId, tenant, integration }: WideEvent, report: AttemptReport): void {
  const level = report.code === undefined ? 'debug' : 'warn';
  if (!logger.isLevelEnabled(level)) return;
  const { attempt, latencyMs, status, code, timeout, diagnostic } = report;
  const latency = Math.round(latencyMs * 100) / 100;
  logger[level](
    {
      requestId,
      tenant,
      integration,
      attempt,
      retries: attempt - 1,
      latencyMs: latency,
      status,
      code,
      timeout,
      diagnostic,
    },
    'attempt',
  );
}

type Shown = (line: string) => string;

const asItIs: Shown = (line) => line;

async function prettyLines(): Promise<Shown> {
  const { prettyFactory } = await import('pino-pretty');
  return prettyFactory({ ignore: 'pid,hostname', colorize: process.stderr.isTTY === true });
}

/** The line that tells of lost ones, in the shape of all others. undefined when the level leaves warnings out. */
function createNotice(settings: pino.LoggerOptions, shown: Shown): ((dropped: number) => string) | undefined {
  let line = '';
  const logger = pino(settings, {
    write: (text: string) => {
      line = text;
    },
  });
  if (!logger.isLevelEnabled('warn')) return undefined;
  return (dropped) => {
    logger.warn({ dropped }, 'log lines dropped');
    return shown(line);
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
