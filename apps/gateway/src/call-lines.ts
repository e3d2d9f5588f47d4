import type { WideEvent } from '@postern/gateway';

/** Lines gather for at most this long, or until this many bytes lie there, and are written in one go. */
const FLUSH_EVERY_MS = 200;
const GATHER_BYTES = 65_536;
/** No line is longer: its parts have limits of their own (the URL 8 KiB, the rest names), and a character has at most 3 bytes. */
const LINE_BYTES_MAX = 32_768;
/** Buffers kept for the next lines. */
const FREE_MAX = 4;

/** Takes whole lines; `release` is called when the bytes are no longer needed, and not at all when they were lost. */
export type WriteLines = (lines: Buffer, release: () => void) => void;

export interface CallLines {
  add(event: WideEvent, latencyMs: number): void;
  /** Gives out what has gathered; to `last` instead when the program ends. */
  flush(last?: WriteLines): void;
}

/**
 * The one wide line of each call, as JSON in pino's shape (`level`, `time`, `msg`). Written here and not by pino because it is on
 * the path of every call; and into bytes at once, because text that lies around for a while costs the garbage collector more than
 * making it, as would a new buffer each time. Field names are stable.
 */
export function createCallLines(write: WriteLines, base: Readonly<Record<string, string>>): CallLines {
  const constant = Object.entries(base)
    .map(([name, value]) => `,${JSON.stringify(name)}:${JSON.stringify(value)}`)
    .join('');
  const time = createIsoTime();
  let bytes: Buffer = Buffer.allocUnsafeSlow(GATHER_BYTES + LINE_BYTES_MAX);
  const free: Buffer[] = [];
  let used = 0;
  let timer: NodeJS.Timeout | undefined;

  function flush(last: WriteLines = write): void {
    clearTimeout(timer);
    timer = undefined;
    if (used === 0) return;
    const full = bytes;
    const lines = full.subarray(0, used);
    bytes = free.pop() ?? Buffer.allocUnsafeSlow(GATHER_BYTES + LINE_BYTES_MAX);
    used = 0;
    last(lines, () => {
      if (free.length < FREE_MAX) free.push(full);
    });
  }

  return {
    add(event, latencyMs) {
      const head = `{"level":30,"time":"${time(event.receivedAt)}"${constant},"requestId":"${event.requestId}"`;
      used += bytes.write(
        `${head + fields(event)},"latencyMs":${Math.round(latencyMs * 100) / 100},"msg":"call"}\n`,
        used,
      );
      if (used > GATHER_BYTES) flush();
      else timer ??= setTimeout(() => flush(), FLUSH_EVERY_MS).unref();
    },
    flush,
  };
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
    (event.status === undefined ? '' : `,"status":${event.status}`) +
    plain('code', event.code) +
    plain('address', event.address) +
    plain('client', event.clientAddress)
  );
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
