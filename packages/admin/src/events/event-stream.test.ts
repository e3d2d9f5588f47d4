import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { createEventHub, type EventHub } from './event-hub.ts';
import { type EventStreamOptions, openEventStream, UNREAD_BYTES_MAX } from './event-stream.ts';

const publish = (hub: EventHub, data: Record<string, unknown> = {}, type = 'approval.created') =>
  hub.publish({ tenant: 'acme', type, at: Date.UTC(2026, 2, 1), data });

function open(hub: EventHub, options: Partial<EventStreamOptions> = {}): Readable {
  const stream = openEventStream(hub, {
    tenant: 'acme',
    lastEventId: undefined,
    accepts: () => true,
    isAdmitted: async () => true,
    ...options,
  });
  if (stream === undefined) throw new Error('the hub takes no watcher');
  return stream;
}

const textOf = async (stream: Readable) => {
  let text = '';
  for await (const piece of stream) text += String(piece);
  return text;
};

describe('a watch', () => {
  test('writes events as server-sent events, one line of data each', async () => {
    const hub = createEventHub();
    const stream = open(hub);
    publish(hub, { summary: 'a\nb\r\ndata: x\u2028' });
    hub.close();
    const text = await textOf(stream);
    const [retry, event] = text.split('\n\n');
    expect(retry).toBe('retry: 2000');
    const lines = event?.split('\n') ?? [];
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(/^id: [0-9a-f]{16}-1$/);
    expect(lines[1]).toBe('event: approval.created');
    expect(JSON.parse(lines[2]?.slice('data: '.length) ?? '')).toEqual({
      type: 'approval.created',
      timestamp: '2026-03-01T00:00:00.000Z',
      tenant: 'acme',
      data: { summary: 'a\nb\r\ndata: x\u2028' },
    });
  });

  test('leaves out what the watcher is not told of', async () => {
    const hub = createEventHub();
    const accepts = ({ type }: { type: string }) => type.startsWith('approval.');
    const first = open(hub, { accepts });
    publish(hub, {}, 'policy.activated');
    publish(hub);
    publish(hub, {}, 'admin.created');
    const [id] = String(first.read()).match(/[0-9a-f]{16}-\d+/) ?? [];
    const second = open(hub, { accepts, lastEventId: id?.replace(/\d+$/, '1') });
    hub.close();
    for (const stream of [first, second]) {
      expect((await textOf(stream)).match(/event: .*/g) ?? []).toEqual(
        stream === first ? [] : ['event: approval.created'],
      );
    }
  });

  test('begins with "reset" when what was missed is not known', async () => {
    const hub = createEventHub();
    const stream = open(hub, { lastEventId: '0123456789abcdef-7' });
    publish(hub);
    hub.close();
    expect((await textOf(stream)).match(/event: .*/g)).toEqual(['event: reset', 'event: approval.created']);
  });

  test('shows that it lives', async () => {
    const stream = open(createEventHub(), { heartbeatMs: 5 });
    let beats = 0;
    for await (const piece of stream) {
      beats += String(piece).match(/^: $/gm)?.length ?? 0;
      if (beats >= 3) break;
    }
    expect(beats).toBeGreaterThanOrEqual(3);
  });

  test('of somebody who is no longer admitted ends at the next sign of life, and tells nothing more', async () => {
    const hub = createEventHub();
    let isAdmitted = true;
    const stream = open(hub, {
      heartbeatMs: 5,
      isAdmitted: async () => {
        if (!isAdmitted) publish(hub, { told: 'too late' });
        return isAdmitted;
      },
    });
    publish(hub, { told: 'in time' });
    isAdmitted = false;
    const text = await textOf(stream);
    expect(text).toContain('in time');
    expect(text).not.toContain('too late');
  });

  test('ends when it cannot be found out whether the watcher is admitted', async () => {
    const stream = open(createEventHub(), { heartbeatMs: 5, isAdmitted: () => Promise.reject(new Error('no store')) });
    expect(await textOf(stream)).toBe('retry: 2000\n\n');
  });

  test('that nobody reads breaks off, and takes no place any more', async () => {
    const hub = createEventHub({ watchersMax: 2 });
    const stream = open(hub);
    expect(openEventStream(hub, { ...NOBODY })).toBeUndefined();
    const closed = once(stream, 'close');
    const data = { text: 'x'.repeat(10_000) };
    for (let bytes = 0; bytes <= UNREAD_BYTES_MAX; bytes += 10_000) publish(hub, data);
    await closed;
    expect(stream.destroyed).toBe(true);
    expect(openEventStream(hub, { ...NOBODY })).toBeDefined();
    hub.close();
  });

  test('that is left by its reader takes no place any more', async () => {
    const hub = createEventHub({ watchersMax: 2 });
    const stream = open(hub);
    stream.destroy();
    await once(stream, 'close');
    expect(openEventStream(hub, { ...NOBODY })).toBeDefined();
    hub.close();
  });
});

const NOBODY: EventStreamOptions = {
  tenant: 'acme',
  lastEventId: undefined,
  accepts: () => true,
  isAdmitted: async () => true,
};
