import { encodeEntry } from '@postern/audit';
import type { Entry, EntryDraft } from '@postern/schemas';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { INSTANCE_SCOPE } from '../client.ts';
import type { AuditQuery } from '../ports/audit.ts';
import { runInTransaction } from '../transaction.ts';
import { type DbHarness, type MakeDbHarness, readPages } from './harness.ts';

const DRAFT: EntryDraft = { at: 1_000, tenant: 'acme', type: 'admin.created', actor: 'alice', subject: 'agent:coder' };

export function describeAuditPort(makeHarness: MakeDbHarness): void {
  describe('the audit log', () => {
    let harness: DbHarness;
    const append = (draft: EntryDraft): Promise<Entry> =>
      runInTransaction(harness.client, (context) => harness.repositories.audit.append(draft, context));
    beforeEach(async () => {
      harness = await makeHarness();
    });
    afterEach(() => harness.close());

    test('an appended entry has its place and its id, and is found by both', async () => {
      const { audit } = harness.repositories;
      const first = await append(DRAFT);
      const second = await append(DRAFT);
      expect(first).toMatchObject({ ...DRAFT, v: 1, seq: 0 });
      expect(second.seq).toBe(1);
      expect(first.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(second.id).not.toBe(first.id);
      expect(await audit.getById('acme', second.id)).toEqual(second);
      expect(await audit.size('acme')).toBe(2);
    });

    test('each tenant has a log of its own, and sees no other', async () => {
      const { audit } = harness.repositories;
      const entry = await append(DRAFT);
      expect((await append({ ...DRAFT, tenant: 'beta' })).seq).toBe(0);
      expect(await audit.getById('beta', entry.id)).toBeUndefined();
      expect((await audit.query('beta', { limit: 5 })).items).toHaveLength(1);
      expect(await audit.size('gamma')).toBe(0);
    });

    test('no id but an entry’s own leads to it', async () => {
      const { audit } = harness.repositories;
      const { id } = await append(DRAFT);
      const flipped = (id[0] === '0' ? '1' : '0') + id.slice(1);
      for (const other of [flipped, id.toUpperCase(), `${id}0`, '', 'x', '0']) {
        if (other !== id) expect(await audit.getById('acme', other)).toBeUndefined();
      }
    });

    test('an entry stands or falls with its transaction and leaves no gap', async () => {
      const { audit } = harness.repositories;
      const failed = runInTransaction(harness.client, async (context) => {
        await audit.append(DRAFT, context);
        throw new Error('changed my mind');
      });
      await expect(failed).rejects.toThrow('changed my mind');
      expect((await append(DRAFT)).seq).toBe(0);
      await expect(audit.append(DRAFT, {})).rejects.toMatchObject({ code: 'invalid' });
    });

    test('the leaves are the exact bytes, in order', async () => {
      const { audit } = harness.repositories;
      const entries: Entry[] = [];
      for (const reason of ['plain', 'ümläut "quoted" \\ud800', '\u0000 control', 'x'.repeat(70_000)]) {
        entries.push(await append({ ...DRAFT, reason }));
      }
      const leaves = await audit.readLeaves('acme', 0, 10);
      expect(leaves.map((leaf) => leaf.seq)).toEqual([0, 1, 2, 3]);
      for (const [index, entry] of entries.entries()) expect(leaves[index]?.bytes).toEqual(encodeEntry(entry));
      expect((await audit.readLeaves('acme', 2, 1)).map((leaf) => leaf.seq)).toEqual([2]);
    });

    test('a draft that is no entry is refused, and takes no place', async () => {
      await expect(append({ ...DRAFT, tenant: '' })).rejects.toMatchObject({ code: 'invalid' });
      await expect(append({ ...DRAFT, at: 1.5 })).rejects.toMatchObject({ code: 'invalid' });
      await expect(append({ ...DRAFT, count: Number.NaN })).rejects.toMatchObject({ code: 'invalid' });
      expect((await append(DRAFT)).seq).toBe(0);
    });

    test('the pages go from the newest down, and entries that come meanwhile shift nothing', async () => {
      const { audit } = harness.repositories;
      for (let index = 0; index < 5; index++) await append({ ...DRAFT, at: index });
      const { items, sizes } = await readPages(async (cursor) => {
        const page = await audit.query('acme', { limit: 2, ...(cursor && { cursor }) });
        await append({ ...DRAFT, type: 'export' });
        return page;
      });
      expect(items.map((entry) => entry.seq)).toEqual([4, 3, 2, 1, 0]);
      expect(sizes).toEqual([2, 2, 1]);
    });

    test.each<[Omit<AuditQuery, 'limit'>, number[]]>([
      [{ requestId: 'r-1' }, [1, 0]],
      [{ agent: 'coder' }, [2, 0]],
      [{ integration: 'github' }, [1]],
      [{ action: 'read' }, [2]],
      [{ decision: 'deny' }, [3]],
      [{ type: 'denied' }, [3, 2]],
      [{ from: 30 }, [3, 2]],
      [{ to: 30 }, [1, 0]],
      [{ from: 20, to: 40 }, [2, 1]],
      [{ agent: 'coder', type: 'denied' }, [2]],
      [{ agent: 'nobody' }, []],
    ])('a query for %j finds %j', async (query, found) => {
      await append({ at: 10, tenant: 'acme', type: 'intent', requestId: 'r-1', agent: 'coder' });
      await append({ at: 20, tenant: 'acme', type: 'outcome', requestId: 'r-1', integration: 'github' });
      await append({ at: 30, tenant: 'acme', type: 'denied', requestId: 'r-2', agent: 'coder', action: 'read' });
      await append({ at: 40, tenant: 'acme', type: 'denied', decision: 'deny' });
      const { items } = await harness.repositories.audit.query('acme', { ...query, limit: 10 });
      expect(items.map((entry) => entry.seq)).toEqual(found);
    });

    test.each([
      'x',
      Buffer.from('["audit_entries","5"]').toString('base64url'),
      Buffer.from('["tenants",5]').toString('base64url'),
    ])('the cursor %j of no audit query is refused', async (cursor) => {
      const refused = harness.repositories.audit.query('acme', { limit: 5, cursor });
      await expect(refused).rejects.toMatchObject({ code: 'invalid' });
    });

    test('a stored entry that is none any more is refused by table and column', async () => {
      const { id } = await append(DRAFT);
      await harness.client.writes(INSTANCE_SCOPE).updateTable('audit_entries').set({ entry: '{"v":9}' }).execute();
      const refusal = { code: 'invalid', message: expect.stringContaining('audit_entries.entry') };
      await expect(harness.repositories.audit.getById('acme', id)).rejects.toMatchObject(refusal);
      await expect(harness.repositories.audit.query('acme', { limit: 1 })).rejects.toMatchObject(refusal);
    });
  });
}
