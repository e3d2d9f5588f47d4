import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import { type TemporaryFolder, temporaryFolder } from '@postern/testing';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Spool } from './spool.ts';

let folder: TemporaryFolder;

beforeAll(async () => {
  folder = await temporaryFolder();
});

afterAll(async () => {
  await folder?.remove();
});

async function readAll(spool: Spool): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of spool.read()) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Descriptors of this process that are files of the folder, which have no name there any more. */
function openFiles(): string[] {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(`${folder.path}/`);
    } catch {
      return false;
    }
  });
}

describe('a spooled body', () => {
  test('comes back as it went in, whatever its pieces, as often as it is read', async () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 40_000 }), { maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(pieces, async (chunks) => {
        const spool = await Spool.create(folder.path);
        for (const chunk of chunks) await spool.append(chunk);
        const whole = Buffer.concat(chunks);
        expect(spool.byteLength).toBe(whole.byteLength);
        expect((await readAll(spool)).equals(whole)).toBe(true);
        expect((await readAll(spool)).equals(whole)).toBe(true);
        spool.dispose();
      }),
      { numRuns: 30 },
    );
  });

  test.each([0, 1, 15, 16, 17, 65_535, 65_536, 65_537, 1_048_577])('of %i bytes comes back whole', async (size) => {
    const bytes = Buffer.alloc(size, 'abcdefg');
    const spool = await Spool.create(folder.path);
    await spool.append(bytes);
    expect((await readAll(spool)).equals(bytes)).toBe(true);
    expect(spool.seal()).toBe(`sha-256:${createHash('sha256').update(bytes).digest('hex')}`);
    expect(spool.seal()).toBe(spool.seal());
    spool.dispose();
  });

  test('is read in two places at once without mixing', async () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
    const spool = await Spool.create(folder.path);
    await spool.append(bytes);
    const [left, right] = await Promise.all([readAll(spool), readAll(spool)]);
    expect(left.equals(bytes)).toBe(true);
    expect(right.equals(bytes)).toBe(true);
    spool.dispose();
  });

  test('has no name, is closed to others, and is not what lies on the disk', async () => {
    await vi.waitFor(() => expect(openFiles()).toEqual([]));
    const spool = await Spool.create(folder.path);
    const text = 'the customer list'.repeat(100);
    await spool.append(Buffer.from(text));
    expect(readdirSync(folder.path)).toEqual([]);
    const [fd, ...others] = openFiles();
    expect(others).toEqual([]);
    const stored = readFileSync(`/proc/self/fd/${fd}`);
    expect(stored.byteLength).toBe(text.length);
    expect(stored.includes('customer')).toBe(false);
    const second = await Spool.create(folder.path);
    await second.append(Buffer.from(text));
    const stored2 = readFileSync(`/proc/self/fd/${openFiles().find((each) => each !== fd)}`);
    expect(stored2.equals(stored)).toBe(false);
    spool.dispose();
    second.dispose();
  });

  test('that is disposed leaves nothing open and cannot be read', async () => {
    const spool = await Spool.create(folder.path);
    await spool.append(Buffer.from('gone'));
    await vi.waitFor(() => expect(openFiles().length).toBe(1));
    spool.dispose();
    spool.dispose();
    await expect(readAll(spool)).rejects.toThrow();
    await vi.waitFor(() => expect(openFiles()).toEqual([]));
  });

  test('cannot be made in a folder that is not there', async () => {
    await expect(Spool.create(path.join(folder.path, 'nothing'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
