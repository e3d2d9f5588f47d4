import { Readable } from 'node:stream';
import type { EventHub, LiveEvent, NumberedEvent } from './event-hub.ts';

export interface EventStreamOptions {
  readonly tenant: string;
  /** `Last-Event-ID` of a watcher that comes back. */
  readonly lastEventId: string | undefined;
  readonly accepts: (event: LiveEvent) => boolean;
  /** Whether the watcher may still watch. Asked at each heartbeat, and before an event when that was some time ago. */
  readonly isAdmitted: () => Promise<boolean>;
  /** Default 15,000. */
  readonly heartbeatMs?: number;
}

const HEARTBEAT_MS = 15_000;
/** No event is told to somebody whose right to it was looked at longer ago. */
const ADMITTED_MS = 2_000;
/** A watcher that leaves more than this unread is dropped; it comes back with the id of the last event it saw. */
export const UNREAD_BYTES_MAX = 262_144;
/** Events that wait for the answer whether the watcher may have them. */
const WAITING_MAX = 1_000;
/** After this long a client that lost its connection should come back. */
const RETRY_MS = 2_000;

/**
 * A watch as `text/event-stream` (HTML Living Standard, section 9.2). It ends when the hub closes or the watcher is no longer admitted,
 * and breaks off when it is not read. undefined: the hub takes no watcher.
 */
export function openEventStream(hub: EventHub, options: EventStreamOptions): Readable | undefined {
  const { tenant, lastEventId, accepts, isAdmitted, heartbeatMs = HEARTBEAT_MS } = options;
  const waiting: string[] = [];
  let admittedAt = performance.now();
  let isAsking = false;
  let isEnded = false;

  const watch = hub.watch(tenant, lastEventId, {
    deliver(event) {
      if (!accepts(event)) return;
      say(eventText(event));
    },
    reset: () => say(RESET),
    end,
  });
  if (watch === undefined) return undefined;
  const stream = new Readable({
    read: () => undefined,
    destroy: (error, done) => {
      watch.stop();
      clearInterval(heartbeat);
      done(error);
    },
  });
  const heartbeat = setInterval(() => {
    admittedAt = Number.NEGATIVE_INFINITY;
    say(': \n\n');
  }, heartbeatMs);
  heartbeat.unref();

  function say(text: string): void {
    waiting.push(text);
    if (waiting.length > WAITING_MAX) stream.destroy();
    else void tell();
  }

  async function tell(): Promise<void> {
    if (isAsking) return;
    if (performance.now() - admittedAt >= ADMITTED_MS) {
      isAsking = true;
      // What cannot be found out counts as no.
      const mayWatch = await isAdmitted().catch(() => false);
      isAsking = false;
      if (!mayWatch) return end();
      admittedAt = performance.now();
    }
    for (const text of waiting.splice(0)) write(text);
  }

  function write(text: string): void {
    if (stream.destroyed || isEnded) return;
    stream.push(text);
    if (stream.readableLength > UNREAD_BYTES_MAX) stream.destroy();
  }

  function end(): void {
    if (isEnded) return;
    isEnded = true;
    waiting.length = 0;
    watch?.stop();
    clearInterval(heartbeat);
    if (!stream.destroyed) stream.push(null);
  }

  write(`retry: ${RETRY_MS}\n\n`);
  if (watch.isReset) write(RESET);
  for (const event of watch.missed) if (accepts(event)) write(eventText(event));
  return stream;
}

/** What happened meanwhile is not remembered: whoever watches must read what it shows anew. */
const RESET = 'event: reset\ndata: {"type":"reset"}\n\n';

/** JSON has no line breaks, so that one line of data is enough. */
function eventText({ id, type, at, tenant, data }: NumberedEvent): string {
  const body = JSON.stringify({ type, timestamp: new Date(at).toISOString(), tenant, data });
  return `id: ${id}\nevent: ${type}\ndata: ${body}\n\n`;
}
