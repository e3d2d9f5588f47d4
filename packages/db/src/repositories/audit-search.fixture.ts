import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BLOCK_ENTRIES, BUCKETS, ERA_SPANS, SPAN_BLOCKS, SPAN_ENTRIES, termOf } from '../audit-terms.ts';
import { INSTANCE_SCOPE } from '../client.ts';
import type { DbHarness, MakeDbHarness } from '../conformance/harness.ts';
import { runInTransaction } from '../transaction.ts';
import { searchEntries } from './audit-search.ts';
import {
  anyBounds,
  anyEntries,
  anyFilters,
  entriesOf,
  type Filters,
  type NewEntry,
  randomFrom,
  SearchScene,
  SUMMARY_TABLES,
  textOf,
} from './audit-search-scene.fixture.ts';

const RUNS = 3;

type Start = (entries: readonly NewEntry[]) => Promise<SearchScene>;

/** What `searchEntries` finds is what the plain scan finds, whatever of the log is summarised. */
export function describeAuditSearch(makeHarness: MakeDbHarness): void {
  describe('a search of the log', () => {
    let harness: DbHarness;
    beforeAll(async () => {
      harness = await makeHarness();
    });
    afterAll(() => harness.close());
    const start: Start = (entries) => SearchScene.start(harness, entries);
    describeAnySearch(start);
    describeFoundValues(start);
    describeCosts(start);
    describeSummarising(start, () => harness);
  });
}

function describeAnySearch(start: Start): void {
  test('finds what reading the whole log finds, whatever of it is summarised and however little a page may cost', async () => {
    const anyQueries = fc.array(fc.tuple(anyFilters, anyBounds, fc.integer({ min: 1, max: 30 })), {
      minLength: 6,
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(anyEntries, fc.nat(120), anyQueries, async (entries, steps, queries) => {
        const scene = await start(entries);
        if (steps > 0) await scene.harness.repositories.audit.summarise(steps);
        await scene.prune(entries.filter((_entry, index) => index % 7 === 3).map(({ seq }) => seq));
        for (const [filters, bounds, limit] of queries) {
          expect(await scene.searchAll({ ...filters, limit }, bounds)).toEqual(await scene.scan(filters));
        }
      }),
      { numRuns: RUNS },
    );
  });

  test('finds the same while entries are added and summarised between its pages', async () => {
    await fc.assert(
      fc.asyncProperty(anyEntries, anyFilters, anyBounds, async (entries, filters, bounds) => {
        const scene = await start(entries);
        const { audit } = scene.harness.repositories;
        await audit.summarise(20);
        const expected = await scene.scan(filters);
        let newest = entries.at(-1)?.seq ?? 0;
        const found = await scene.searchAll({ ...filters, limit: 30 }, bounds, async () => {
          newest += BLOCK_ENTRIES;
          await scene.store([{ ...(entries[0] as NewEntry), seq: newest }]);
          await audit.summarise(2);
        });
        expect(found).toEqual(expected);
      }),
      { numRuns: RUNS },
    );
  });

  test.each(SUMMARY_TABLES)('finds the same when rows of %s are gone', async (table) => {
    const scene = await start(fc.sample(anyEntries, { numRuns: 1, seed: 7 })[0] as readonly NewEntry[]);
    await scene.summariseAll();
    const column = { audit_spans: 'span', audit_span_terms: 'bucket', audit_era_terms: 'bucket' } as const;
    await scene.harness.client
      .writes(INSTANCE_SCOPE)
      .deleteFrom(table as 'audit_span_terms')
      .where('log', '=', scene.log)
      .where(({ eb, ref }) => {
        const number = ref((table in column ? column[table as keyof typeof column] : 'block') as 'bucket');
        return eb(eb(number, '%', 3), '=', 1);
      })
      .execute();
    for (const filters of fc.sample(anyFilters, { numRuns: 12, seed: 7 })) {
      expect(await scene.searchAll({ ...filters, limit: 100 })).toEqual(await scene.scan(filters));
    }
  });

  test('finds the same in a log so long that it has eras, and reads little of it', async () => {
    const next = randomFrom(1);
    const entries: NewEntry[] = [];
    for (let seq = 0; seq < (ERA_SPANS + 2) * SPAN_ENTRIES; seq += 1 + next(2_000)) {
      const members = { agent: `agent-${next(300)}`, action: `action-${next(3)}`, at: seq };
      // Two that are none any more: they match all that is asked for.
      const isEntry = entries.length !== 100 && entries.length !== 400;
      entries.push({ seq, entry: isEntry ? textOf(seq, members) : 'nonsense' });
    }
    const scene = await start(entries);
    await scene.summariseAll();
    const bounds = { entriesMax: 7 * BLOCK_ENTRIES, blocksMax: 3 * SPAN_BLOCKS };
    for (const filters of FEW_MATCH) {
      const query = { ...filters, limit: 1_000 };
      const found = await searchEntries(scene.harness.client, scene.tenant, query, bounds);
      expect(found).toEqual({ rows: await scene.scan(filters) });
    }
  });
}

const FEW_MATCH: readonly Filters[] = [
  { agent: 'agent-7' },
  { agent: 'agent-8', action: 'action-1' },
  { agent: 'nobody' },
  { action: 'action-2', agent: 'agent-9', from: 300_000 },
  { from: 500_000, to: 502_000 },
  { to: 3_000 },
  { agent: 'agent-11', to: 600_000 },
];

function describeFoundValues(start: Start): void {
  test.each([
    ['plenty', 20],
    ['few', 300],
  ])('a page goes on from the newest entries to the %s below that summaries tell of', async (_many, every) => {
    const membersAt = (seq: number) => ({ agent: seq % every === 0 ? 'sought' : 'other' });
    const scene = await start(entriesOf(12 * BLOCK_ENTRIES + 300, 1, membersAt));
    await scene.summariseAll();
    const wanted = await scene.scan({ agent: 'sought' });
    const page = await searchEntries(scene.harness.client, scene.tenant, { agent: 'sought', limit: 30 });
    expect(page).toEqual({ rows: wanted.slice(0, 31) });
    expect(await scene.searchAll({ agent: 'sought', limit: 30 })).toEqual(wanted);
  });

  test('finds every value, whatever is in it', async () => {
    const values = ['a\u001fb', '\u001f', '', 'a\nb', '\ufffd', '"', '\\', 'zwölf 😀', "'; drop", 'x'.repeat(5_000)];
    const valueAt = (seq: number) => (seq % 200 < values.length ? values[seq % 200] : 'x');
    const scene = await start(entriesOf(3 * BLOCK_ENTRIES, 1, (seq) => ({ action: valueAt(seq) })));
    await scene.summariseAll();
    for (const [index, action] of values.entries()) {
      const found = await scene.searchAll({ action: action as string, limit: 3 });
      expect(found.map(({ seq }) => seq)).toEqual(Array.from({ length: 16 }, (_, of) => (15 - of) * 200 + index));
    }
  });

  test('tells apart values that share a term', async () => {
    const [one, other] = collision();
    const agentAt = (seq: number) => ({ 7: one, 8: other })[seq % 500] ?? 'x';
    const scene = await start(entriesOf(3 * BLOCK_ENTRIES, 1, (seq) => ({ agent: agentAt(seq) })));
    await scene.summariseAll();
    for (const agent of [one, other]) {
      expect(await scene.searchAll({ agent, limit: 3 })).toEqual(await scene.scan({ agent }));
    }
  });

  test('comes upon an entry that is none any more, as long as it was none when it was summarised', async () => {
    const entries = entriesOf(3 * BLOCK_ENTRIES, 1, (seq) => ({ at: seq }));
    const scene = await start(entries.map((each) => (each.seq === 1_500 ? { ...each, entry: 'nonsense' } : each)));
    await scene.summariseAll();
    const refused = scene.harness.repositories.audit.query(scene.tenant, { agent: 'nobody', limit: 5 });
    const message = expect.stringContaining('audit_entries.entry');
    await expect(refused).rejects.toMatchObject({ code: 'invalid', message });
  });
}

/** Two agents of one term. */
function collision(): readonly [string, string] {
  const known = new Map<number, string>();
  for (let number = 0; ; number++) {
    const value = `agent-${number}`;
    const other = known.get(termOf('agent', value));
    if (other !== undefined) return [other, value];
    known.set(termOf('agent', value), value);
  }
}

function describeCosts(start: Start): void {
  test('reads little where little is to be found', async () => {
    const membersAt = (seq: number) => ({ agent: seq % (29 * 997) === 0 ? 'rare' : 'often', at: seq });
    const scene = await start(entriesOf(4 * SPAN_ENTRIES, 29, membersAt));
    await scene.summariseAll();
    const bounds = { entriesMax: 6 * BLOCK_ENTRIES, blocksMax: 40 };
    for (const filters of [{ agent: 'rare' }, { agent: 'nobody' }, { from: 50_000, to: 50_300 }, { to: 5_000 }]) {
      const query = { ...filters, limit: 100 };
      const found = await searchEntries(scene.harness.client, scene.tenant, query, bounds);
      expect(found).toEqual({ rows: (await scene.scan(filters)).slice(0, 101) });
    }
  });

  test('a page that may cost no more goes on where it ended', async () => {
    const scene = await start(entriesOf(40 * BLOCK_ENTRIES, 3, (seq) => ({ agent: seq === 6 ? 'rare' : 'often' })));
    const { audit } = scene.harness.repositories;
    const first = await audit.query(scene.tenant, { agent: 'rare', limit: 5 });
    expect(first).toEqual({ items: [], nextCursor: expect.any(String) });
    const last = await audit.query(scene.tenant, { agent: 'rare', limit: 5, cursor: first.nextCursor as string });
    expect(last).toEqual({ items: [expect.objectContaining({ seq: 6 })] });
  });

  test('a page that may try no more entries leaves none out', async () => {
    const [one, other] = collision();
    const scene = await start(entriesOf(8 * BLOCK_ENTRIES, 1, (seq) => ({ agent: seq % 64 === 63 ? one : other })));
    await scene.summariseAll();
    for (const limit of [1, 10, 100]) {
      const bounds = { entriesMax: 3 * BLOCK_ENTRIES, blocksMax: 100 };
      expect(await scene.searchAll({ agent: one, limit }, bounds)).toEqual(await scene.scan({ agent: one }));
    }
  });
}

function describeSummarising(start: Start, harness: () => DbHarness): void {
  test('summaries that several make at once are those that one makes', async () => {
    const entries = entriesOf(2 * SPAN_ENTRIES + 26, 13, (seq) => ({ agent: `agent-${seq % 50}`, at: seq }));
    const alone = await start(entries);
    await alone.summariseAll();
    const expected = await alone.summaries();
    expect(expected.map((rows) => rows.length)).toEqual([64, 320, 2, 2 * BUCKETS, 0]);
    const together = await start(entries);
    const { audit } = together.harness.repositories;
    const some = () => Promise.all([audit.summarise(30), audit.summarise(20), audit.summarise(50)]);
    while ((await some()).some((done) => done > 0));
    expect(await together.summaries()).toEqual(expected);
  });

  test('what was cut off is done again', async () => {
    const scene = await start(entriesOf(SPAN_ENTRIES + 26, 13, (seq) => ({ agent: `agent-${seq % 50}`, at: seq })));
    await scene.summariseAll();
    const expected = await scene.summaries();
    const writes = scene.harness.client.writes(INSTANCE_SCOPE);
    // The last rows of the span and of its last block are those that a crash leaves out.
    await writes.deleteFrom('audit_spans').where('log', '=', scene.log).execute();
    await writes.deleteFrom('audit_span_terms').where('log', '=', scene.log).where('bucket', '>', 99).execute();
    await writes.deleteFrom('audit_blocks').where('log', '=', scene.log).where('block', '=', 31).execute();
    expect(await scene.searchAll({ agent: 'agent-3', limit: 20 })).toEqual(await scene.scan({ agent: 'agent-3' }));
    expect(await scene.harness.repositories.audit.summarise(1_000)).toBe(2);
    expect(await scene.summaries()).toEqual(expected);
  });

  test('a log that was pruned is summarised on, however many of its blocks are gone', async () => {
    const entryOf = (seq: number) => ({ seq, entry: textOf(seq, { agent: 'agent', at: seq }) });
    const places = (from: number, to: number) =>
      Array.from({ length: (to - from) / 64 }, (_, index) => from + 64 * index);
    const scene = await start(places(0, 4 * BLOCK_ENTRIES + 64).map(entryOf));
    await scene.summariseAll();
    await scene.prune(places(0, 3 * BLOCK_ENTRIES));
    await scene.store(places(4 * BLOCK_ENTRIES + 64, 6 * BLOCK_ENTRIES + 64).map(entryOf));
    await scene.summariseAll();
    const [blocks] = await scene.summaries();
    expect(blocks).toHaveLength(6);
  });

  test('a log behind more than a hundred others has its turn', async () => {
    const others = Array.from({ length: 130 }, (_, index) => ({ tenant: `other-${performance.now()}-${index}` }));
    await harness().client.writes(INSTANCE_SCOPE).insertInto('audit_logs').values(others).execute();
    const scene = await start(entriesOf(BLOCK_ENTRIES + 26, 13, (seq) => ({ agent: 'agent', at: seq })));
    await scene.summariseAll();
    expect((await scene.summaries()).map((rows) => rows.length)).toEqual([1, 5, 0, 0, 0]);
  });

  test('the log grows by calls and is summarised as it grows', async () => {
    const { client, repositories } = harness();
    const { audit } = repositories;
    for (let made = 0; made < BLOCK_ENTRIES + 3; made += 171) {
      await runInTransaction(client, async (context) => {
        for (let index = 0; index < 171; index++) {
          const agent = made === 171 && index === 5 ? 'rare' : 'often';
          await audit.append({ at: made + index, tenant: 'grown', type: 'denied', agent }, context);
        }
      });
    }
    expect(await audit.summarise(1_000)).toBe(1);
    expect(await audit.summarise(1_000)).toBe(0);
    expect((await audit.query('grown', { agent: 'rare', limit: 1 })).items.map(({ seq }) => seq)).toEqual([176]);
  });
}
