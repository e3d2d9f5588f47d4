import { ApiUnreachable } from './api-problem.ts';
import type { Send } from './send.ts';

/** Something that happened in the tenant. `timestamp` is ISO 8601 in UTC. */
export interface ApiEvent {
  /** Give it as `lastEventId` to go on after it; absent on `open` and `reset`. */
  readonly id?: string;
  /**
   * As audit entries are named, such as `approval.created`. `open`: the watch has begun, and what happens from here on is told;
   * `reset`: what was missed is not remembered, read anew what you show.
   */
  readonly type: string;
  readonly timestamp?: string;
  readonly tenant?: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface WatchOptions {
  readonly lastEventId?: string;
  /** Ends the watch; the iteration then ends without an error. */
  readonly signal?: AbortSignal;
  /** Without a sign of life for so long, the connection counts as lost. Default 45,000. */
  readonly silenceMs?: number;
}

const SILENCE_MS = 45_000;
/** Longer than any event; whatever sends more is no control plane. */
const EVENT_CHARACTERS_MAX = 1_048_576;

/**
 * What happens in the tenant, as it comes, over one connection. Ends when the control plane ends it; rejects with `ApiUnreachable` when
 * the connection is lost. Whoever wants to go on watches again with the id of the last event.
 */
export async function* watchEvents(send: Send, options: WatchOptions = {}): AsyncGenerator<ApiEvent> {
  const { lastEventId, signal, silenceMs = SILENCE_MS } = options;
  const isOver = () => signal?.aborted === true;
  if (isOver()) return;
  const connection = new AbortController();
  const stop = () => connection.abort();
  signal?.addEventListener('abort', stop);
  let silence = setTimeout(stop, silenceMs);
  const headers: Record<string, string> = lastEventId === undefined ? {} : { 'last-event-id': lastEventId };
  try {
    const request = { method: 'GET', path: '/v1/events', accept: 'text/event-stream', headers } as const;
    const { body } = await send({ ...request, signal: connection.signal });
    if (body === null) return;
    yield { type: 'open', data: {} };
    const decoder = new TextDecoder();
    let unread = '';
    for await (const piece of body) {
      clearTimeout(silence);
      silence = setTimeout(stop, silenceMs);
      unread += decoder.decode(piece, { stream: true });
      const blocks = unread.split('\n\n');
      unread = blocks.pop() ?? '';
      if (unread.length > EVENT_CHARACTERS_MAX) throw new ApiUnreachable('What answers sends no events.');
      for (const block of blocks) yield* readEvent(block);
    }
  } catch (cause) {
    if (isOver()) return;
    if (cause instanceof Error && cause.name.startsWith('Api')) throw cause;
    throw new ApiUnreachable('The connection to the control plane was lost.', { cause });
  } finally {
    clearTimeout(silence);
    signal?.removeEventListener('abort', stop);
    stop();
  }
}

/** One block of the stream; nothing for signs of life. Every event of the control plane has its data on one line. */
function readEvent(block: string): ApiEvent[] {
  let id: string | undefined;
  let data: string | undefined;
  for (const line of block.split('\n')) {
    if (line.startsWith('id: ')) id = line.slice(4);
    if (line.startsWith('data: ')) data = line.slice(6);
  }
  if (data === undefined) return [];
  const event = JSON.parse(data) as Partial<ApiEvent>;
  if (typeof event.type !== 'string') return [];
  return [{ ...event, type: event.type, data: event.data ?? {}, ...(id === undefined ? {} : { id }) }];
}
