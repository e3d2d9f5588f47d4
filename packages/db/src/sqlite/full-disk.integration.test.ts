import { describe, expect, test } from 'vitest';
import { describeCallJournalFailures } from '../conformance/call-journal-failures.ts';
import { openSqlite } from './open-sqlite.ts';
import { mountSmallDisk } from './small-disk.fixture.ts';
import { makeSqliteHarness } from './sqlite-harness.fixture.ts';

describe('SQLite on a full disk', () => {
  describeCallJournalFailures(async () => {
    const disk = await mountSmallDisk(16 * 1_048_576);
    const harness = await makeSqliteHarness(disk.path);
    return {
      ...harness,
      breakStore: async () => disk.fill(),
      mendStore: async () => disk.empty(),
      close: async () => {
        await harness.close();
        await disk.remove();
      },
    };
  });
});

describe('SQLite on a read-only file system', () => {
  test('is refused at the start, with the name of the file', async () => {
    const disk = await mountSmallDisk(4 * 1_048_576);
    try {
      const file = `${disk.path}/postern.db`;
      await (await openSqlite({ file })).close();
      disk.remount('ro');
      await expect(openSqlite({ file })).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining(file),
      });
      disk.remount('rw');
      await (await openSqlite({ file })).close();
    } finally {
      await disk.remove();
    }
  });
});
