import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { INSTANCE_SCOPE } from '../client.ts';
import { type DbHarness, readPages } from '../conformance/harness.ts';
import { fillStore, TENANT } from '../growth/fill-store.fixture.ts';
import { makeSqliteHarness } from '../sqlite/sqlite-harness.fixture.ts';
import type { ClaimFilter } from './claim-lists.ts';

const CLAIMS = 12_000;

describe('lists among twelve thousand claims', () => {
  let harness: DbHarness;
  beforeAll(async () => {
    harness = await makeSqliteHarness();
    await fillStore(harness.client, { agents: CLAIMS, integrations: 10, entries: 20 });
  });
  afterAll(() => harness.close());

  const list = (filter: ClaimFilter, limit: number) =>
    readPages((cursor) => {
      const page = { limit, nowMs: 1, ...(cursor === undefined ? {} : { cursor }) };
      return harness.repositories.claims.list(TENANT, filter, page);
    });

  test('a page looks at five thousand claims at most, and the next goes on there', async () => {
    expect(await list({ state: 'reserved' }, 10)).toEqual({ items: [], sizes: [0, 0, 0] });
    expect(await list({ state: 'reserved', integration: 'integration-00000000' }, 10)).toEqual({
      items: [],
      sizes: [0, 0],
    });
  });

  test('an integration that has none is known at once to have none', async () => {
    expect(await list({ integration: 'nothing' }, 10)).toEqual({ items: [], sizes: [0] });
  });

  test('no claim is left out or told twice, the newest first', async () => {
    const { items } = await list({ integration: 'integration-00000000' }, 100);
    expect(items.map(({ key }) => Number(key))).toEqual(
      Array.from({ length: CLAIMS / 2 }, (_, index) => CLAIMS - 2 - 2 * index),
    );
  });

  test('an agent’s few are found at once, however old', async () => {
    const [claim] = (await list({}, 1_000)).items.slice(-1);
    const { items, sizes } = await list({ agent: claim?.agent ?? '' }, 5);
    expect([items.map(({ key }) => key), sizes]).toEqual([['0'], [1]]);
  });

  test.each([
    ['new', 'place > 10800'],
    ['old', 'place between 100 and 1400'],
  ])('an agent’s many are found, none left out or told twice, when they are %s', async (age, place) => {
    const agent = `many-${age}`;
    const ofAgent = sql`update claims set agent = ${agent} where ${sql.raw(place)} and place % 2 = 0 returning place`;
    const { rows } = await ofAgent.execute(harness.client.writes(INSTANCE_SCOPE));
    expect(rows.length).toBeGreaterThan(500);
    const { items } = await list({ agent }, 90);
    expect(items).toHaveLength(rows.length);
    expect(new Set(items.map(({ id }) => id)).size).toBe(rows.length);
    const made = items.map(({ createdAt }) => createdAt);
    expect(made).toEqual(made.toSorted((one, other) => other - one));
  });

  test('those of an integration in a state are found on several pages', async () => {
    const { items } = await list({ state: 'failed_not_sent', integration: 'integration-00000003' }, 3);
    expect(items.map(({ integration }) => integration)).toEqual(Array(10).fill('integration-00000003'));
  });
});
