import { describe, expect, test } from 'vitest';
import {
  EDGE_RECORDS_KEPT,
  type EdgeBatch,
  type EdgeGap,
  type EdgeRecord,
  type EdgeRecordClass,
  type EdgeStream,
} from '../ports/edge-records.ts';
import { type MakeDbHarness, readPages } from './harness.ts';
import { range, shareHarness } from './shared-harness.ts';

export function describeEdgeRecordsPort(makeHarness: MakeDbHarness): void {
  describe('records of edges', () => {
    const shared = shareHarness(makeHarness);
    const port = () => shared.repositories.edgeRecords;
    const newStream = async (change: Partial<EdgeStream> = {}): Promise<EdgeStream> => ({
      tenant: await shared.newTenant(),
      edge: 'edge-1',
      class: 'record',
      epoch: 'first',
      ...change,
    });
    const recordOf = (seq: number, change: Partial<EdgeRecord> = {}): EdgeRecord => ({
      seq,
      table: 'readings',
      priority: 3,
      at: 1_000 + seq,
      body: `{"n":${seq}}`,
      ...change,
    });
    const gapOf = (from: number, to: number, change: Partial<EdgeGap> = {}): EdgeGap => ({
      from,
      to,
      bytes: 10,
      reason: 'quota',
      at: 2_000,
      ...change,
    });
    /** Records from `first` to `last`, and `gaps`. */
    const batchOf = (
      stream: EdgeStream,
      [first, last]: readonly [number, number],
      change: Partial<EdgeBatch> = {},
    ) => ({
      ...stream,
      records: range(Math.max(0, last - first + 1)).map((index) => recordOf(first + index)),
      gaps: [],
      issued: Math.max(last, ...(change.gaps ?? []).map(({ to }) => to)),
      ...change,
    });
    const receive = (batch: EdgeBatch) => port().receive(batch, shared.clock.nowMs);
    const seqsOf = async (stream: EdgeStream) => {
      const filter = { edge: stream.edge, class: stream.class };
      const { items } = await port().list(stream.tenant, filter, { limit: 1_000 });
      return items.filter(({ epoch }) => epoch === stream.epoch).map(({ seq }) => seq);
    };

    test('a batch is stored as it came, and acknowledged through its end', async () => {
      const stream = await newStream();
      expect(await port().getCursor(stream)).toBeUndefined();
      const receipt = await receive(batchOf(stream, [1, 3], { issued: 9 }));
      const cursor = { ...stream, ackedThrough: 3, delivered: 3, missing: 0, issued: 9, resident: 6 };
      expect(receipt).toEqual({
        kind: 'accepted',
        cursor: { ...cursor, updatedAt: shared.clock.nowMs },
        stored: 3,
        trimmed: 0,
      });
      expect(await port().getCursor(stream)).toMatchObject(cursor);
      expect((await port().list(stream.tenant, {}, { limit: 9 })).items[0]).toEqual({
        ...stream,
        ...recordOf(3),
        receivedAt: shared.clock.nowMs,
      });
    });

    test('what came before is trimmed, whatever the bounds of the batch', async () => {
      const stream = await newStream();
      await receive(batchOf(stream, [1, 5]));
      expect(await receive(batchOf(stream, [1, 5]))).toMatchObject({ kind: 'accepted', stored: 0, trimmed: 5 });
      expect(await receive(batchOf(stream, [2, 3], { issued: 5 }))).toMatchObject({ stored: 0, trimmed: 2 });
      expect(await receive(batchOf(stream, [4, 8]))).toMatchObject({
        stored: 3,
        trimmed: 2,
        cursor: { ackedThrough: 8 },
      });
      expect(await seqsOf(stream)).toEqual([8, 7, 6, 5, 4, 3, 2, 1]);
    });

    test('a batch that begins too late is not stored, and told what is expected', async () => {
      const stream = await newStream();
      expect(await receive(batchOf(stream, [2, 4]))).toEqual({ kind: 'gap', expected: 1 });
      await receive(batchOf(stream, [1, 2]));
      expect(await receive(batchOf(stream, [4, 5]))).toEqual({ kind: 'gap', expected: 3 });
      expect(await seqsOf(stream)).toEqual([2, 1]);
    });

    test('what is told to be missing is counted, once: issued is delivered, missing and resident', async () => {
      const stream = await newStream();
      const batch = batchOf(stream, [4, 6], { gaps: [gapOf(1, 3), gapOf(7, 7, { reason: 'poison' })], issued: 20 });
      expect(await receive(batch)).toMatchObject({ stored: 3, trimmed: 0 });
      expect(await receive(batch)).toMatchObject({ stored: 0, trimmed: 7 });
      // A gap that reaches over the cursor counts from there on, and its bytes were told.
      const over = await receive(batchOf(stream, [1, 0], { gaps: [gapOf(7, 9)], issued: 20 }));
      expect(over).toMatchObject({ stored: 0, trimmed: 1 });
      const cursor = await port().getCursor(stream);
      expect(cursor).toMatchObject({ ackedThrough: 9, delivered: 3, missing: 6, issued: 20, resident: 11 });
      expect(await port().listGaps(stream)).toEqual([
        gapOf(1, 3),
        gapOf(7, 7, { reason: 'poison' }),
        gapOf(8, 9, { bytes: 0 }),
      ]);
    });

    test('an empty batch tells how much was issued', async () => {
      const stream = await newStream();
      const receipt = await receive(batchOf(stream, [1, 0], { issued: 4 }));
      expect(receipt).toMatchObject({ kind: 'accepted', cursor: { ackedThrough: 0, issued: 4, resident: 4 } });
    });

    test('another content under a number that was delivered is a fork, and stores nothing', async () => {
      const stream = await newStream();
      await receive(batchOf(stream, [1, 3]));
      const forged = { records: [recordOf(2, { body: '{"n":"other"}' }), recordOf(3), recordOf(4)] };
      expect(await receive(batchOf(stream, [2, 4], forged))).toEqual({ kind: 'fork', seq: 2 });
      const moved = { records: [recordOf(3, { table: 'other' })], issued: 3 };
      expect(await receive(batchOf(stream, [3, 3], moved))).toEqual({ kind: 'fork', seq: 3 });
      expect(await seqsOf(stream)).toEqual([3, 2, 1]);
    });

    test('a batch that was overtaken by a later one is trimmed, and takes back nothing', async () => {
      const stream = await newStream();
      const late = batchOf(stream, [1, 3], { issued: 4 });
      await receive(batchOf(stream, [1, 5], { issued: 9 }));
      const receipt = await receive(late);
      expect(receipt).toMatchObject({
        kind: 'accepted',
        stored: 0,
        trimmed: 3,
        cursor: { ackedThrough: 5, issued: 9 },
      });
    });

    test('an edge that came back from a backup is found out, and begins anew in a new epoch', async () => {
      const stream = await newStream();
      await receive(batchOf(stream, [1, 5], { gaps: [gapOf(6, 6)] }));
      // It gives the number 4 a second time, or one that it told to be missing.
      const again = { records: [recordOf(3), recordOf(4, { body: '{"n":"new"}' })] };
      expect(await receive(batchOf(stream, [3, 4], again))).toEqual({ kind: 'fork', seq: 4 });
      expect(await receive(batchOf(stream, [5, 7]))).toEqual({ kind: 'fork', seq: 6 });
      const next = { ...stream, epoch: 'second' };
      expect(await receive(batchOf(next, [1, 2]))).toMatchObject({ kind: 'accepted', stored: 2 });
      expect(await seqsOf(stream)).toEqual([5, 4, 3, 2, 1]);
    });

    test('edges, classes, epochs and tenants are numbered each for itself', async () => {
      const stream = await newStream();
      const streams = [
        stream,
        { ...stream, edge: 'edge-2' },
        { ...stream, class: 'audit' as const },
        { ...stream, epoch: 'second' },
        await newStream(),
      ];
      for (const [index, each] of streams.entries()) {
        expect(await receive(batchOf(each, [1, index + 1]))).toMatchObject({ kind: 'accepted', stored: index + 1 });
      }
      const cursors = await port().listCursors(stream.tenant, undefined);
      expect(cursors.map(({ edge, class: of, epoch }) => `${edge} ${of} ${epoch}`)).toEqual([
        'edge-1 audit first',
        'edge-1 record first',
        'edge-1 record second',
        'edge-2 record first',
      ]);
      expect(await port().listCursors(stream.tenant, 'edge-2')).toHaveLength(1);
    });

    test('of two processes that receive one batch at once, one stores it', async () => {
      const stream = await newStream();
      const second = await shared.secondProcess();
      const batches = range(6).map((index) => batchOf(stream, [1, 3 + (index % 2)], { issued: 4 }));
      const receipts = await Promise.all(
        batches.map((batch, index) =>
          (index % 2 === 0 ? port() : second.edgeRecords).receive(batch, shared.clock.nowMs),
        ),
      );
      expect(receipts.every(({ kind }) => kind === 'accepted')).toBe(true);
      const stored = receipts.reduce((sum, receipt) => sum + (receipt.kind === 'accepted' ? receipt.stored : 0), 0);
      expect(stored).toBe(4);
      expect(await seqsOf(stream)).toEqual([4, 3, 2, 1]);
    });

    test('many records go in at once', async () => {
      const stream = await newStream();
      expect(await receive(batchOf(stream, [1, 1_000]))).toMatchObject({ stored: 1_000 });
      expect(await receive(batchOf(stream, [1, 1_000]))).toMatchObject({ stored: 0, trimmed: 1_000 });
    });

    test('what is received in a transaction falls with it', async () => {
      const stream = await newStream();
      const failed = shared.within(async (context) => {
        await port().receive(batchOf(stream, [1, 2]), 1, context);
        throw new Error('changed my mind');
      });
      await expect(failed).rejects.toThrow('changed my mind');
      expect(await port().getCursor(stream)).toBeUndefined();
      expect(await seqsOf(stream)).toEqual([]);
    });

    test('lists go newest first, in pages, by edge, class and table', async () => {
      const stream = await newStream();
      await receive(batchOf(stream, [1, 5]));
      await receive(batchOf({ ...stream, edge: 'edge-2' }, [1, 1], { records: [recordOf(1, { table: 'other' })] }));
      const list = (filter: object) =>
        readPages((cursor) => port().list(stream.tenant, filter, { limit: 2, ...(cursor && { cursor }) }));
      expect((await list({})).sizes).toEqual([2, 2, 2]);
      expect((await list({ edge: 'edge-1' })).items.map(({ seq }) => seq)).toEqual([5, 4, 3, 2, 1]);
      expect((await list({ table: 'other' })).items.map(({ edge }) => edge)).toEqual(['edge-2']);
      expect((await list({ class: 'audit' })).items).toEqual([]);
    });

    test('a sweep removes records of its class, and forgets nothing of what came', async () => {
      const stream = await newStream({ class: 'telemetry' });
      const kept = EDGE_RECORDS_KEPT;
      await receive(batchOf(stream, [1, kept + 3]));
      const audit = { ...stream, class: 'audit' as const };
      await receive(batchOf(audit, [1, kept + 1]));
      expect(await port().sweep('telemetry', shared.clock.nowMs, 100)).toBe(0);
      expect(await port().sweep('telemetry', shared.clock.nowMs + 1, 2)).toBe(2);
      expect(await port().sweep('telemetry', shared.clock.nowMs + 1, 100)).toBe(1);
      expect(await port().sweep('telemetry', shared.clock.nowMs + 1, 100)).toBe(0);
      expect((await port().list(stream.tenant, { class: 'telemetry' }, { limit: 1_000 })).nextCursor).toBeUndefined();
      expect((await port().list(stream.tenant, { class: 'audit' }, { limit: 1_000 })).nextCursor).toBeDefined();
      // What may come again is still known, what cannot is a fork.
      expect(await receive(batchOf(stream, [4, kept + 4]))).toMatchObject({ stored: 1, trimmed: kept });
      expect(await receive(batchOf(stream, [3, 4], { issued: kept + 4 }))).toEqual({ kind: 'fork', seq: 3 });
    });

    test.each([
      ['a hole', { records: [recordOf(1), recordOf(3)] }],
      ['a number twice', { records: [recordOf(1), recordOf(1)] }],
      ['a record in a gap', { records: [recordOf(1)], gaps: [gapOf(1, 2)] }],
      ['gaps that overlap', { records: [], gaps: [gapOf(1, 3), gapOf(3, 4)] }],
      ['a number above what was issued', { issued: 2 }],
      ['the number 0', { records: [recordOf(0)] }],
      ['half a number', { records: [recordOf(1.5)] }],
      ['priority 0', { records: [recordOf(1, { priority: 0 })] }],
      ['priority 6', { records: [recordOf(1, { priority: 6 })] }],
      ['an empty body', { records: [recordOf(1, { body: '' })] }],
      ['a NUL', { records: [recordOf(1, { body: 'a\u0000' })] }],
      ['a gap that ends before it begins', { records: [], gaps: [gapOf(3, 2)] }],
      ['a gap without a known reason', { records: [], gaps: [gapOf(1, 1, { reason: 'bored' as 'quota' })] }],
      ['no edge', { edge: '' }],
      ['no epoch', { epoch: '' }],
      ['an unknown class', { class: 'secret' as EdgeRecordClass }],
    ])('a batch with %s is refused', async (_what, change) => {
      const stream = await newStream();
      await expect(receive({ ...batchOf(stream, [1, 3]), ...change })).rejects.toMatchObject({ code: 'invalid' });
      expect(await port().listCursors(stream.tenant, undefined)).toEqual([]);
    });

    test('a tenant that is not there has no edges', async () => {
      const stream = await newStream({ tenant: 'nowhere' });
      await expect(receive(batchOf(stream, [1, 1]))).rejects.toMatchObject({ code: 'not_found' });
    });
  });
}
