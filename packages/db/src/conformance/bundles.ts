import { hash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { BundleRecord, BundleSignature, BundleState } from '../ports/bundles.ts';
import { type MakeDbHarness, readPages } from './harness.ts';
import { hashOf, range, shareHarness } from './shared-harness.ts';

const SIGNATURE: BundleSignature = { keyId: 'kid-1', algorithm: 'EdDSA', signature: 'c2lnbmVk' };

export function describeBundlesPort(makeHarness: MakeDbHarness): void {
  describe('bundles', () => {
    const shared = shareHarness(makeHarness);
    const port = () => shared.repositories.bundles;
    const newEdge = async () => ({ tenant: await shared.newTenant(), edge: 'edge-1' });
    type Edge = Awaited<ReturnType<typeof newEdge>>;
    const bundleOf = (edge: Edge, version: number, change: Partial<BundleRecord> = {}) => ({
      ...edge,
      version,
      document: `{"version":${version},"title":"ü"}`,
      signatures: [SIGNATURE],
      issuedAt: shared.clock.nowMs,
      expiresAt: shared.clock.nowMs + 86_400_000,
      ...change,
    });
    const create = (edge: Edge, version: number, change: Partial<BundleRecord> = {}) =>
      shared.within((context) => port().createBundle(bundleOf(edge, version, change), context));

    test('one keeps its exact text, and is told by the hash of it', async () => {
      const edge = await newEdge();
      expect(await port().getLatestBundle(edge)).toBeUndefined();
      const bundle = await create(edge, 1);
      const contentHash = hash('sha256', '{"version":1,"title":"ü"}', 'hex');
      expect(bundle).toEqual({ ...bundleOf(edge, 1), contentHash });
      expect(await port().getLatestBundle(edge)).toEqual(bundle);
      expect(await port().getBundle(edge, 1)).toEqual(bundle);
      const { document: _without, ...summary } = bundle;
      expect(await port().getLatestBundleSummary(edge)).toEqual(summary);
    });

    test('bundles are an edge’s own', async () => {
      const edge = await newEdge();
      await create(edge, 1);
      for (const other of [{ ...edge, edge: 'edge-2' }, await newEdge()]) {
        expect(await port().getLatestBundle(other)).toBeUndefined();
        expect(await port().getLatestBundleSummary(other)).toBeUndefined();
        expect(await port().getBundle(other, 1)).toBeUndefined();
        expect((await port().listBundles(other, { limit: 9 })).items).toEqual([]);
        const applied = { version: 1, state: 'applied', hash: hashOf(1), at: 1 } as const;
        await expect(port().acknowledge(other, applied)).rejects.toMatchObject({ code: 'not_found' });
      }
    });

    test('versions go up without gaps, also when two processes make one at once', async () => {
      const edge = await newEdge();
      for (const version of [0, 2, 1.5]) await expect(create(edge, version)).rejects.toMatchObject({ code: 'stale' });
      const made = await Promise.allSettled([
        create(edge, 1),
        shared.secondWithin((context, { bundles }) => bundles.createBundle(bundleOf(edge, 1), context)),
      ]);
      expect(made.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
      expect(await shared.within((context) => port().nextVersion(edge, context))).toBe(2);
    });

    test('writes need a transaction, and fall with it', async () => {
      const edge = await newEdge();
      await expect(port().createBundle(bundleOf(edge, 1), {})).rejects.toMatchObject({ code: 'invalid' });
      await expect(port().nextVersion(edge, {})).rejects.toMatchObject({ code: 'invalid' });
      const failed = shared.within(async (context) => {
        await port().createBundle(bundleOf(edge, 1), context);
        throw new Error('changed my mind');
      });
      await expect(failed).rejects.toThrow('changed my mind');
      expect(await port().getLatestBundle(edge)).toBeUndefined();
    });

    test('an edge says what it applied, and only what was given to it', async () => {
      const edge = await newEdge();
      const { contentHash } = await create(edge, 1);
      const applied = { version: 1, state: 'applied', hash: contentHash, at: 100 } as const;
      const forged = port().acknowledge(edge, { ...applied, hash: hashOf(7) });
      await expect(forged).rejects.toMatchObject({ code: 'conflict' });
      expect(await port().listAcknowledgements(edge, 9)).toEqual([]);
      expect(await port().acknowledge(edge, applied)).toBe(true);
      expect(await port().acknowledge(edge, applied)).toBe(true);
      const back = { version: 1, state: 'rolled_back', hash: hashOf(7), at: 200, error: 'it does not start' } as const;
      expect(await port().acknowledge(edge, back)).toBe(true);
      // What comes late does not undo what was said after it.
      expect(await port().acknowledge(edge, applied)).toBe(false);
      await create(edge, 2);
      const failed = { version: 2, state: 'failed', hash: hashOf(8), at: 1 } as const;
      expect(await port().acknowledge(edge, failed)).toBe(true);
      expect(await port().listAcknowledgements(edge, 9)).toEqual([failed, back]);
      expect(await port().listAcknowledgements(edge, 1)).toEqual([failed]);
    });

    test.each([
      [{ version: 2 }, 'not_found'],
      [{ state: 'liked' as BundleState }, 'invalid'],
      [{ hash: 'short' }, 'invalid'],
      [{ at: -1 }, 'invalid'],
    ])('an acknowledgement with %j is refused as %s', async (change, code) => {
      const edge = await newEdge();
      const { contentHash } = await create(edge, 1);
      const said = { version: 1, state: 'applied', hash: contentHash, at: 1, ...change } as const;
      await expect(port().acknowledge(edge, said)).rejects.toMatchObject({ code });
    });

    test('lists go newest first, in pages, without the texts', async () => {
      const edge = await newEdge();
      for (const index of range(5)) await create(edge, index + 1);
      const { items, sizes } = await readPages((cursor) =>
        port().listBundles(edge, { limit: 2, ...(cursor && { cursor }) }),
      );
      expect(items.map(({ version }) => version)).toEqual([5, 4, 3, 2, 1]);
      expect(sizes).toEqual([2, 2, 1]);
      expect(items.some((bundle) => 'document' in bundle)).toBe(false);
    });

    test('a sweep removes what ended, with what was said of it, and never an edge’s newest', async () => {
      const edge = await newEdge();
      const ends = shared.clock.nowMs + 10;
      for (const version of [1, 2, 3]) {
        const { contentHash } = await create(edge, version, { expiresAt: ends });
        await port().acknowledge(edge, { version, state: 'applied', hash: contentHash, at: version });
      }
      expect(await port().sweep(ends, 100)).toBe(0);
      expect(await port().sweep(ends + 1, 1)).toBe(1);
      expect(await port().sweep(ends + 1, 100)).toBe(1);
      expect((await port().listBundles(edge, { limit: 9 })).items.map(({ version }) => version)).toEqual([3]);
      expect((await port().listAcknowledgements(edge, 9)).map(({ version }) => version)).toEqual([3]);
      expect(await shared.within((context) => port().nextVersion(edge, context))).toBe(4);
    });

    test('a text that is not what was signed is refused', async () => {
      const edge = await newEdge();
      await create(edge, 1);
      const { client } = shared.harness;
      await client
        .writes(edge.tenant)
        .updateTable('bundles')
        .set({ document: '{"version":1,"title":"forged"}' })
        .where('tenant', '=', edge.tenant)
        .execute();
      const refusal = { code: 'invalid', message: expect.stringContaining('bundles.document') };
      await expect(port().getLatestBundle(edge)).rejects.toMatchObject(refusal);
      await expect(port().getBundle(edge, 1)).rejects.toMatchObject(refusal);
    });

    test.each([
      [{ signatures: [] }, 'invalid'],
      [{ signatures: [{ ...SIGNATURE, algorithm: 'none' as 'EdDSA' }] }, 'invalid'],
      [{ signatures: [{ ...SIGNATURE, keyId: '' }] }, 'invalid'],
      [{ signatures: [{ ...SIGNATURE, signature: '' }] }, 'invalid'],
      [{ signatures: [{ ...SIGNATURE, signature: 'no base64!' }] }, 'invalid'],
      [{ document: '' }, 'invalid'],
      [{ expiresAt: 0 }, 'invalid'],
      [{ edge: '' }, 'invalid'],
      [{ tenant: 'nowhere' }, 'not_found'],
    ])('one with %j is refused as %s', async (change, code) => {
      await expect(create(await newEdge(), 1, change)).rejects.toMatchObject({ code });
    });
  });
}
