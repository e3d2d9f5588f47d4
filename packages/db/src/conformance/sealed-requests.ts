import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { INSTANCE_SCOPE } from '../client.ts';
import { SEALED_CHUNK_BYTES_MAX, SEALED_REQUEST_BYTES_MAX } from '../ports/sealed-requests.ts';
import type { DbHarness, MakeDbHarness } from './harness.ts';

const HOUR_MS = 3_600_000;
const range = (length: number) => Array.from({ length }, (_, index) => index);
const bytesOf = (length: number, seed = 1) => Uint8Array.from({ length }, (_, index) => (index * seed) % 251);

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

export function describeSealedRequestsPort(makeHarness: MakeDbHarness): void {
  describe('sealed requests', () => {
    let harness: DbHarness;
    beforeEach(async () => {
      harness = await makeHarness();
    });
    afterEach(() => harness.close());

    const port = () => harness.repositories.sealedRequests;
    const now = () => harness.clock.nowMs;
    const write = (chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>, keepUntil = now() + HOUR_MS) =>
      port().write({ tenant: 'acme', keepUntil }, chunks);
    const read = async (id: string, tenant = 'acme') => Buffer.concat(await collect(port().read(tenant, id)));
    const rows = async () => {
      const points = harness.client.points(INSTANCE_SCOPE);
      const heads = await points.selectFrom('sealed_requests').select('id').execute();
      const chunks = await points.selectFrom('sealed_chunks').select('chunk').execute();
      return [heads.length, chunks.length];
    };

    test('are read as they were written, chunk by chunk', async () => {
      const chunks = [bytesOf(10), bytesOf(100_000, 3), bytesOf(1, 7)];
      const stored = await write(chunks);
      expect(stored).toMatchObject({
        tenant: 'acme',
        bytes: 100_011,
        chunks: 3,
        createdAt: now(),
        keepUntil: now() + HOUR_MS,
      });
      expect(await port().getById('acme', stored.id)).toEqual(stored);
      const read = await collect(port().read('acme', stored.id));
      expect(read.map((chunk) => Buffer.from(chunk).equals(chunks.shift() as Uint8Array))).toEqual([true, true, true]);
    });

    test('of sixteen MiB are written as they come, and read as they are asked for', async () => {
      const chunk = bytesOf(1_048_576, 5);
      let given = 0;
      const stored = await write(
        (async function* () {
          for (given = 0; given < 16; given += 1) yield chunk;
        })(),
      );
      expect(stored.bytes).toBe(16 * 1_048_576);
      let count = 0;
      for await (const each of port().read('acme', stored.id)) {
        expect(Buffer.compare(each, chunk)).toBe(0);
        count += 1;
      }
      expect([given, count]).toEqual([16, 16]);
    });

    test('of views on larger memory are the views', async () => {
      const large = bytesOf(1_000_000);
      const { id } = await write([large.subarray(5, 10), Buffer.from('sealed')]);
      expect(await read(id)).toEqual(Buffer.concat([large.subarray(5, 10), Buffer.from('sealed')]));
    });

    test('are of their tenant', async () => {
      const { id } = await write([bytesOf(3)]);
      expect(await port().getById('beta', id)).toBeUndefined();
      await expect(read(id, 'beta')).rejects.toMatchObject({ code: 'not_found' });
      await port().remove('beta', id);
      expect(await port().keepUntil('beta', id, 1)).toBe(false);
      expect(await read(id)).toHaveLength(3);
    });

    test('that are empty, too long or of chunks too long are refused, and leave nothing', async () => {
      for (const chunks of [
        [],
        [new Uint8Array(0)],
        [bytesOf(1), new Uint8Array(0)],
        [new Uint8Array(SEALED_CHUNK_BYTES_MAX + 1)],
      ]) {
        await expect(write(chunks)).rejects.toMatchObject({ code: 'invalid' });
      }
      const many = range(SEALED_REQUEST_BYTES_MAX / SEALED_CHUNK_BYTES_MAX + 1).map(
        () => new Uint8Array(SEALED_CHUNK_BYTES_MAX),
      );
      await expect(write(many)).rejects.toMatchObject({ code: 'invalid' });
      expect(await rows()).toEqual([0, 0]);
      expect((await write(many.slice(1))).bytes).toBe(SEALED_REQUEST_BYTES_MAX);
    });

    test('whose bytes stop coming leave nothing', async () => {
      const broken = (function* () {
        yield bytesOf(9);
        throw new Error('the client left');
      })();
      await expect(write(broken)).rejects.toThrow('the client left');
      expect(await rows()).toEqual([0, 0]);
    });

    test('are not there before their last byte', async () => {
      const steps: unknown[] = [];
      await write(
        (async function* () {
          yield bytesOf(9);
          const [row] = await harness.client
            .points(INSTANCE_SCOPE)
            .selectFrom('sealed_requests')
            .select('id')
            .execute();
          steps.push(await port().getById('acme', row?.id ?? ''), await port().keepUntil('acme', row?.id ?? '', 9e9));
          yield bytesOf(9);
        })(),
      );
      expect(steps).toEqual([undefined, false]);
    });

    test('are kept longer, never shorter', async () => {
      const { id } = await write([bytesOf(1)], now() + 100);
      expect(await port().keepUntil('acme', id, now() + 50)).toBe(true);
      expect((await port().getById('acme', id))?.keepUntil).toBe(now() + 100);
      expect(await port().keepUntil('acme', id, now() + 200)).toBe(true);
      expect((await port().getById('acme', id))?.keepUntil).toBe(now() + 200);
      expect(await port().keepUntil('acme', 'none', 1)).toBe(false);
    });

    test('removed are gone with all their chunks, also for who is reading them', async () => {
      const { id } = await write(range(4).map(() => bytesOf(50_000)));
      const reading = port().read('acme', id)[Symbol.asyncIterator]();
      await reading.next();
      await port().remove('acme', id);
      await port().remove('acme', id);
      await expect(reading.next()).rejects.toMatchObject({ code: 'not_found' });
      expect(await rows()).toEqual([0, 0]);
    });

    test('are swept at their end, whole, and not before', async () => {
      const { id } = await write(
        range(5).map(() => bytesOf(50_000)),
        now() + 100,
      );
      await write([bytesOf(1)], now() + 1_000);
      expect(await port().sweep(now() + 99, 10)).toBe(0);
      expect(await read(id)).toHaveLength(250_000);
      expect(await port().sweep(now() + 100, 10)).toBe(1);
      expect(await port().getById('acme', id)).toBeUndefined();
      expect(await rows()).toEqual([1, 1]);
    });

    test('that were never written to their end are swept after an hour', async () => {
      const held = Promise.withResolvers<void>();
      const started = Promise.withResolvers<void>();
      const writing = write(
        (async function* () {
          yield bytesOf(9);
          started.resolve();
          await held.promise;
          yield bytesOf(9);
        })(),
        now() + 10 * HOUR_MS,
      );
      await started.promise;
      expect(await port().sweep(now() + HOUR_MS - 1, 10)).toBe(0);
      expect(await port().sweep(now() + HOUR_MS, 10)).toBe(1);
      held.resolve();
      await expect(writing).rejects.toMatchObject({ name: 'DbError' });
      expect(await rows()).toEqual([0, 0]);
    });

    test('many at once do not mix', async () => {
      const stored = await Promise.all(
        range(12).map((index) => write([bytesOf(3_000, index + 1), bytesOf(9, index + 1)])),
      );
      for (const [index, { id }] of stored.entries()) {
        expect(await read(id)).toEqual(Buffer.concat([bytesOf(3_000, index + 1), bytesOf(9, index + 1)]));
      }
    });
  });
}
