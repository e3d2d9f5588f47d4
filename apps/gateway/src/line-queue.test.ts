import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { LineQueue, type LineQueueOptions, type WriteBytes } from './line-queue.ts';

/** A reader that takes what is written only when told to. */
function stoppedReader(options: LineQueueOptions = {}) {
  const taken: string[] = [];
  let pending: { text: string; bytes: Uint8Array; done: (error?: Error | null) => void } | undefined;
  let overlaps = 0;
  const write: WriteBytes = (bytes, done) => {
    if (pending !== undefined) overlaps += 1;
    pending = { text: Buffer.from(bytes).toString(), bytes, done };
  };
  const queue = new LineQueue(write, { notice: (dropped) => `dropped ${dropped}\n`, ...options });
  return {
    queue,
    /** Ends the write under way; false when there is none. */
    take(error?: Error): boolean {
      const it = pending;
      if (it === undefined) return false;
      pending = undefined;
      // What was given out must not change until it is taken.
      expect(Buffer.from(it.bytes).toString()).toBe(it.text);
      if (error === undefined) taken.push(it.text);
      it.done(error);
      return true;
    },
    takeAll(): string[] {
      void queue.drain(60_000);
      while (this.take()) void queue.drain(60_000);
      return taken.join('').split('\n').slice(0, -1);
    },
    isWriting: () => pending !== undefined,
    pending: () => pending?.text,
    overlaps: () => overlaps,
  };
}

const ids = (count: number) => Array.from({ length: count }, (_, index) => `line ${index} ${'x'.repeat(200)}`);

describe('lines', () => {
  test('are gathered, and all written whole and in order', () => {
    const reader = stoppedReader();
    const lines = ids(2_000);
    for (const line of lines) reader.queue.add(`${line}\n`);
    expect(reader.takeAll()).toEqual(lines);
    expect(reader.overlaps()).toBe(0);
    expect(reader.queue.dropped).toBe(0);
  });

  test('are written after a moment by themselves, and not again for nothing', () => {
    vi.useFakeTimers();
    try {
      const reader = stoppedReader();
      reader.queue.add('a\n');
      reader.queue.add('b\n');
      expect(reader.isWriting()).toBe(false);
      vi.advanceTimersByTime(1_000);
      expect(reader.pending()).toBe('a\nb\n');
      reader.take();
      vi.advanceTimersByTime(10_000);
      expect(reader.isWriting()).toBe(false);
    } finally {
      vi.useRealTimers();
    }
  });

  test('that come while a write is under way follow it, without a further moment', () => {
    vi.useFakeTimers();
    try {
      const reader = stoppedReader();
      reader.queue.addNow('a\n');
      reader.queue.add('b\n');
      vi.advanceTimersByTime(1_000);
      expect(reader.pending()).toBe('a\n');
      reader.take();
      expect(reader.pending()).toBe('b\n');
    } finally {
      vi.useRealTimers();
    }
  });

  test('that shall not wait take those before them along', () => {
    const reader = stoppedReader();
    reader.queue.add('a\n');
    reader.queue.addNow('b\n');
    expect(reader.pending()).toBe('a\nb\n');
  });

  test('of any length are whole', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 120_000 }), { maxLength: 20 }), (lengths) => {
        const reader = stoppedReader();
        const lines = lengths.map((length, index) => `${index}${'ü'.repeat(length)}`);
        for (const line of lines) reader.queue.add(`${line}\n`);
        expect(reader.takeAll()).toEqual(lines);
      }),
      { numRuns: 30 },
    );
  });
});

describe('a reader that has stopped', () => {
  test('costs bytes up to the bound, and then lines, which are told and counted', () => {
    const reader = stoppedReader({ heldBytesMax: 400_000 });
    const lines = ids(5_000);
    for (const line of lines) reader.queue.add(`${line}\n`);
    const { dropped } = reader.queue;
    expect(dropped).toBeGreaterThan(1_000);
    const seen = reader.takeAll();
    const kept = 5_000 - dropped;
    expect(seen.slice(0, kept)).toEqual(lines.slice(0, kept));
    expect(seen.slice(kept)).toEqual([`dropped ${dropped}`]);
    // The write under way, what waits, and the open buffer: within a buffer or two of the bound.
    expect(seen.join('\n').length).toBeLessThan(400_000 + 2 * 100_000);
  });

  test('that goes on reads the gap where it is', () => {
    const reader = stoppedReader({ heldBytesMax: 100_000 });
    for (const line of ids(2_000)) reader.queue.add(`${line}\n`);
    const before = reader.queue.dropped;
    reader.take();
    reader.queue.add('after\n');
    const seen = reader.takeAll();
    expect(seen.slice(-2)).toEqual([`dropped ${before}`, 'after']);
    expect(reader.queue.dropped).toBe(before);
  });

  test('holds whatever lines there are: each is read or counted', () => {
    const step = fc.oneof(
      fc.record({ add: fc.nat({ max: 40_000 }), now: fc.boolean() }),
      fc.constantFrom('take' as const, 'fail' as const),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const reader = stoppedReader({ heldBytesMax: 300_000 });
        let added = 0;
        for (const one of steps) {
          if (one === 'take') reader.take();
          else if (one === 'fail') reader.take(new Error('gone'));
          else {
            reader.queue[one.now ? 'addNow' : 'add'](`n ${'y'.repeat(one.add)}\n`);
            added += 1;
          }
        }
        const seen = reader.takeAll();
        const read = seen.filter((line) => line.startsWith('n '));
        const told = seen.filter((line) => line.startsWith('dropped '));
        expect(read.length + told.length).toBe(seen.length);
        expect(read.length + reader.queue.dropped).toBe(added);
        expect(reader.overlaps()).toBe(0);
        const sum = told.reduce((total, line) => total + Number(line.slice(8)), 0);
        expect(sum).toBeLessThanOrEqual(reader.queue.dropped);
      }),
      { numRuns: 300 },
    );
  });

  test('does not keep the end of the program waiting', async () => {
    const reader = stoppedReader();
    reader.queue.add('a\n');
    await reader.queue.drain(20);
    expect(reader.pending()).toBe('a\n');
  });

  test('that takes all lets the end come at once', async () => {
    const reader = stoppedReader();
    reader.queue.add('a\n');
    const drained = reader.queue.drain(60_000);
    reader.take();
    await drained;
    await reader.queue.drain(60_000);
  });
});

test('lines lost by a failed write are counted, and told when one goes through', () => {
  const reader = stoppedReader();
  reader.queue.addNow('a\n');
  reader.queue.add('b\n');
  reader.take(new Error('ENOSPC'));
  expect(reader.queue.dropped).toBe(1);
  expect(reader.takeAll()).toEqual(['b', 'dropped 1']);
});

test('a reader that has gone is not told again and again that it is', async () => {
  let writes = 0;
  const queue = new LineQueue(
    (_bytes, done) => {
      writes += 1;
      process.nextTick(done, new Error('EPIPE'));
    },
    { notice: (dropped) => `dropped ${dropped}\n` },
  );
  for (const line of ids(10)) queue.addNow(`${line}\n`);
  await queue.drain(1_000);
  await queue.drain(1_000);
  expect(queue.dropped).toBe(10);
  expect(writes).toBeLessThan(10);
});

test('without a notice lines are counted all the same', () => {
  const reader = stoppedReader({ heldBytesMax: 1, notice: undefined });
  for (const line of ids(2_000)) reader.queue.add(`${line}\n`);
  expect(reader.queue.dropped).toBeGreaterThan(0);
  const seen = reader.takeAll();
  expect(seen.length).toBe(2_000 - reader.queue.dropped);
});
