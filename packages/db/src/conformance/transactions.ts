import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { DbContext, Transaction } from '../ports/context.ts';
import { runInTransaction } from '../transaction.ts';
import { AGENT, type DbHarness, type MakeDbHarness } from './harness.ts';

export function describeTransactions(makeHarness: MakeDbHarness): void {
  describe('transactions', () => {
    let harness: DbHarness;
    beforeEach(async () => {
      harness = await makeHarness();
      await harness.repositories.tenants.create('acme');
    });
    afterEach(() => harness.close());

    test('all is stored, or nothing', async () => {
      const { agents } = harness.repositories;
      const created = await runInTransaction(harness.client, async (context) => {
        await agents.create('acme', AGENT, 'api', context);
        return agents.getByName('acme', 'coder', context);
      });
      expect(await agents.getByName('acme', 'coder')).toEqual(created);
      const failed = runInTransaction(harness.client, async (context) => {
        await agents.create('acme', { ...AGENT, name: 'second' }, 'api', context);
        await agents.create('acme', AGENT, 'api', context);
      });
      await expect(failed).rejects.toMatchObject({ code: 'conflict' });
      expect(await agents.getByName('acme', 'second')).toBeUndefined();
    });

    test('a given transaction is reused: what its user does falls with it', async () => {
      const { agents } = harness.repositories;
      const outer = runInTransaction(harness.client, async (context) => {
        await runInTransaction(
          harness.client,
          async (inner) => {
            expect(inner.transaction).toBe(context.transaction);
            await agents.create('acme', AGENT, 'api', inner);
          },
          context,
        );
        expect(await agents.getByName('acme', 'coder', context)).toBeDefined();
        throw new Error('changed my mind');
      });
      await expect(outer).rejects.toThrow('changed my mind');
      expect(await agents.getByName('acme', 'coder')).toBeUndefined();
    });

    test('a foreign object in place of a transaction is refused, by methods and by runInTransaction', async () => {
      const other = await harness.connectAgain();
      let finished: DbContext = {};
      await runInTransaction(harness.client, async (context) => {
        finished = context;
      });
      await runInTransaction(other, async (ofOther) => {
        const foreign: unknown[] = [{ transactionOf: 'postern' }, 'text', 7, ofOther.transaction, finished.transaction];
        for (const transaction of foreign) {
          const context: DbContext = { transaction: transaction as Transaction };
          const refusal = { code: 'invalid' };
          await expect(harness.repositories.agents.getById('acme', 'x', context)).rejects.toMatchObject(refusal);
          await expect(runInTransaction(harness.client, async () => 1, context)).rejects.toMatchObject(refusal);
        }
      });
    });

    test('others see nothing of an open transaction, and do not wait to see nothing', async () => {
      const { agents } = harness.repositories;
      await runInTransaction(harness.client, async (context) => {
        await agents.create('acme', AGENT, 'api', context);
        expect(await agents.getByName('acme', 'coder')).toBeUndefined();
        expect((await agents.listByTenant('acme', { limit: 5 })).items).toEqual([]);
        expect((await agents.listByTenant('acme', { limit: 5 }, context)).items).toHaveLength(1);
      });
      expect((await agents.listByTenant('acme', { limit: 5 })).items).toHaveLength(1);
    });

    test('a write beside an open transaction comes after it', async () => {
      const { agents } = harness.repositories;
      const order: string[] = [];
      const { id } = await agents.create('acme', AGENT, 'api');
      let beside: Promise<unknown> = Promise.resolve();
      await runInTransaction(harness.client, async (context) => {
        beside = agents.update('acme', id, AGENT, {}).then((agent) => order.push(`beside ${agent.version}`));
        const inside = await agents.update('acme', id, AGENT, {}, context);
        order.push(`inside ${inside.version}`);
      });
      await beside;
      expect(order).toEqual(['inside 2', 'beside 3']);
    });

    test('transactions at once each see the work of those before', async () => {
      const { agents } = harness.repositories;
      const { id } = await agents.create('acme', AGENT, 'api');
      const increment = () =>
        runInTransaction(harness.client, async (context) => {
          const current = await agents.getById('acme', id, context);
          await agents.update('acme', id, AGENT, { ifVersion: current?.version ?? 0 }, context);
        });
      await Promise.all(Array.from({ length: 20 }, increment));
      expect(await agents.getById('acme', id)).toMatchObject({ version: 21 });
    });
  });
}
