import { write, writeSync } from 'node:fs';
import type { CallLog } from '@postern/gateway';
import pino, { type DestinationStream, type Logger } from 'pino';
import { createCallLines, type WriteLines } from './call-lines.ts';
import type { LogLevel } from './settings.ts';

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: 'json' | 'pretty' | undefined;
  readonly node: string;
  readonly environment: string | undefined;
}

export interface Log extends CallLog {
  readonly logger: Logger;
  flush(): void;
}

/** Structured lines on stderr: pretty on a terminal, else JSON. */
export async function openLog(options: LogOptions): Promise<Log> {
  const format = options.format ?? (process.stderr.isTTY ? 'pretty' : 'json');
  const destination = await openDestination(format);
  const base = {
    node: options.node,
    ...(options.environment === undefined ? {} : { environment: options.environment }),
  };
  const logger = pino({ level: options.level, base, timestamp: pino.stdTimeFunctions.isoTime }, destination.stream);
  const calls = createCallLines(destination.write, base);
  const isCallLogged = logger.isLevelEnabled('info');
  return {
    logger,
    flush: () => {
      calls.flush(format === 'json' ? writeNow : undefined);
      destination.flush();
    },
    call: isCallLogged ? calls.add : () => undefined,
    error: (error, doing, requestId) => logger.warn({ ...describeError(error), doing, requestId }, 'fault'),
  };
}

interface Destination {
  readonly stream: DestinationStream;
  readonly write: WriteLines;
  readonly flush: () => void;
}

async function openDestination(format: 'json' | 'pretty'): Promise<Destination> {
  if (format === 'pretty') {
    const { default: pretty } = await import('pino-pretty');
    const stream = pretty({ destination: 2, sync: true, ignore: 'pid,hostname' });
    const write: WriteLines = (lines, release) => {
      stream.write(lines.toString());
      release();
    };
    return { stream, write, flush: () => undefined };
  }
  const stream = pino.destination({ dest: 2, sync: false });
  return { stream, write: writeToStderr, flush: () => flushNow(stream) };
}

/** Beside pino's own stream: whole lines, so the two never mix within one. Nobody waits, and a reader that has gone harms nobody. */
function writeToStderr(lines: Buffer, release: () => void): void {
  write(2, lines, 0, lines.byteLength, null, (error, written) => {
    const rest = error === null ? lines.subarray(written) : lines;
    if (error !== null && error.code !== 'EAGAIN') return;
    if (rest.byteLength === 0) return release();
    setTimeout(() => writeToStderr(rest, release), error === null ? 0 : RETRY_MS).unref();
  });
}

/** At the end of the program there is no later. */
function writeNow(lines: Buffer): void {
  try {
    writeSync(2, lines);
  } catch {
    // The reader of stderr has gone, or does not read: there is nobody to tell.
  }
}

/** A full pipe is asked again after this long. */
const RETRY_MS = 10;

function flushNow(stream: ReturnType<typeof pino.destination>): void {
  try {
    stream.flushSync();
  } catch {
    // Not open yet, or the reader of stderr has gone: there is nobody to tell.
  }
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
