import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { INSTANCE_SCOPE } from '../client.ts';
import type { DbHarness, MakeDbHarness } from '../conformance/harness.ts';
import { encodeCursor } from '../page.ts';
import type { AuditQuery } from '../ports/audit.ts';
import { runInTransaction } from '../transaction.ts';
import { AUDIT_LIST, type FoundEntry, selectMatching } from './audit-conditions.ts';
import { SEARCH_BOUNDS, type SearchBounds, searchEntries } from './audit-search.ts';
import { BLOCK_ENTRIES, SPAN_ENTRIES, termOf } from './audit-terms.ts';

type Filters = Omit<AuditQuery, 'limit' | 'cursor'>;
type NewEntry = { readonly seq: number; readonly entry: string };

const TABLES = ['audit_blocks', 'audit_block_terms', 'audit_spans', 'audit_span_terms'] as const;
/** Far more places than entries: the log was pruned, here and there. So a short log has many blocks. */
const PLACES = 3 * SPAN_ENTRIES;

/** What `searchEntries` finds is what the plain scan finds, whatever of the log is summarised. */
export function describeAuditSearch(makeHarness: MakeDbHarness): void {
  describe('a search of the log', () => {
    let harness: DbHarness;
    let tenant: string;
    let tenants = 0;
    beforeAll(async () => {
      harness = await makeHarness();
    });
    afterAll(() => harness.close());

    async function startLog(entries: readonly NewEntry[]): Promise<number> {
      tenant = `tenant-${++tenants}`;
      const { log } = await harness.client
        .writes(INSTANCE_SCOPE)
        .insertInto('audit_logs')
        .values({ tenant })
        .returning('log')
        .executeTakeFirstOrThrow();
      await store(log, entries);
      return log;
    }

    async function store(log: number, entries: readonly NewEntry[]): Promise<void> {
      for (let first = 0; first < entries.length; first += 500) {
        const rows = entries.slice(first, first + 500).map((each) => ({ ...each, log }));
        await harness.client.writes(INSTANCE_SCOPE).insertInto('audit_entries').values(rows).execute();
      }
    }

    async function summariseAll(): Promise<void> {
      while ((await harness.repositories.audit.summarise(1_000)) > 0);
    }

    /** All pages of a search, put together; `between` happens after each. */
    async function searchAll(query: AuditQuery, bounds: SearchBounds, between = async () => {}): Promise<FoundEntry[]> {
      const found: FoundEntry[] = [];
      let cursor: number | undefined;
      do {
        const place = cursor === undefined ? {} : { cursor: encodeCursor(AUDIT_LIST, cursor) };
        const { rows, searchedTo } = await searchEntries(harness.client, tenant, { ...query, ...place }, bounds);
        found.push(...rows.slice(0, query.limit));
        const next = rows.length > query.limit ? rows[query.limit - 1]?.seq : searchedTo;
        if (next !== undefined && cursor !== undefined) expect(next).toBeLessThan(cursor);
        cursor = next;
        await between();
      } while (cursor !== undefined);
      return found;
    }

    const scan = (filters: Filters) => selectMatching(harness.client, tenant, { ...filters, limit: 1_000 }).execute();

    test('finds what reading the whole log finds, whatever of it is summarised and however little a page may cost', async () => {
      await fc.assert(
        fc.asyncProperty(
          anyEntries,
          fc.nat(120),
          fc.array(fc.tuple(anyFilters, anyBounds, fc.integer({ min: 1, max: 30 })), { minLength: 6, maxLength: 6 }),
          async (entries, steps, queries) => {
            const log = await startLog(entries);
            for (let left = steps; left > 0; left -= 40) await harness.repositories.audit.summarise(Math.min(left, 40));
            await prune(log, entries);
            for (const [filters, bounds, limit] of queries) {
              expect(await searchAll({ ...filters, limit }, bounds)).toEqual(await scan(filters));
            }
          },
        ),
        { numRuns: RUNS },
      );
    });

    async function prune(log: number, entries: readonly NewEntry[]): Promise<void> {
      const some = entries.slice(0, -1).filter((_entry, index) => index % 7 === 3);
      for (let first = 0; first < some.length; first += 500) {
        const places = some.slice(first, first + 500).map(({ seq }) => seq);
        const deleting = harness.client.writes(INSTANCE_SCOPE).deleteFrom('audit_entries').where('log', '=', log);
        await deleting.where('seq', 'in', places).execute();
      }
    }

    test('finds the same while entries are added and summarised between its pages', async () => {
      await fc.assert(
        fc.asyncProperty(anyEntries, anyFilters, anyBounds, async (entries, filters, bounds) => {
          const log = await startLog(entries);
          await harness.repositories.audit.summarise(20);
          const expected = await scan(filters);
          let newest = (entries.at(-1)?.seq ?? 0) + 1;
          const found = await searchAll({ ...filters, limit: 7 }, bounds, async () => {
            await store(log, [{ ...(entries[0] as NewEntry), seq: newest }]);
            newest += BLOCK_ENTRIES;
            await harness.repositories.audit.summarise(2);
          });
          expect(found).toEqual(expected);
        }),
        { numRuns: RUNS / 2 },
      );
    });

    test('finds the same when any rows of the summaries are gone', async () => {
      await fc.assert(
        fc.asyncProperty(
          anyEntries,
          anyFilters,
          fc.constantFrom(...TABLES),
          fc.integer({ min: 1, max: 5 }),
          async (entries, filters, table, every) => {
            const log = await startLog(entries);
            await summariseAll();
            const column = {
              audit_blocks: 'block',
              audit_block_terms: 'block',
              audit_spans: 'span',
              audit_span_terms: 'bucket',
            }[table];
            await harness.client
              .writes(INSTANCE_SCOPE)
              .deleteFrom(table as 'audit_blocks')
              .where('log', '=', log)
              .where(({ eb, ref }) => eb(eb(ref(column as 'block'), '%', every), '=', 0))
              .execute();
            expect(await searchAll({ ...filters, limit: 20 }, SEARCH_BOUNDS)).toEqual(await scan(filters));
          },
        ),
        { numRuns: RUNS / 2 },
      );
    });

    test('reads little where little is to be found', async () => {
      const entries = entriesOf(4 * SPAN_ENTRIES, 29, (seq) => ({
        agent: seq % (29 * 997) === 0 ? 'rare' : 'often',
        at: seq,
      }));
      await startLog(entries);
      await summariseAll();
      const bounds = { entriesMax: 6 * BLOCK_ENTRIES, blocksMax: 40 };
      for (const filters of [
        { agent: 'rare' },
        { agent: 'nobody' },
        { from: 50_000, to: 50_300 },
        { to: 5_000 },
      ] as Filters[]) {
        const { rows, searchedTo } = await searchEntries(harness.client, tenant, { ...filters, limit: 100 }, bounds);
        expect(searchedTo).toBeUndefined();
        expect(rows).toEqual(await scan(filters).then((all) => all.slice(0, 101)));
      }
    });

    test('tells apart values that share a term', async () => {
      const [one, other] = collision();
      await startLog(
        entriesOf(3 * BLOCK_ENTRIES, 1, (seq) => ({ agent: seq % 500 === 7 ? one : seq % 500 === 8 ? other : 'x' })),
      );
      await summariseAll();
      for (const agent of [one, other]) {
        expect(await searchAll({ agent, limit: 3 }, SEARCH_BOUNDS)).toEqual(await scan({ agent }));
      }
    });

    test.each(['a\u001fb', '\u001f', '', 'a\nb', '\ufffd', '"', '\\', 'zwölf 😀', "'; drop", '\ud800'.toWellFormed()])(
      'finds the value %j',
      async (value) => {
        const entries = entriesOf(3 * BLOCK_ENTRIES, 1, (seq) =>
          seq % 700 === 3 ? { action: value } : { action: 'x' },
        );
        await startLog(entries);
        await summariseAll();
        const found = await searchAll({ action: value, limit: 2 }, SEARCH_BOUNDS);
        expect(found.map(({ seq }) => seq)).toEqual([2803, 2103, 1403, 703, 3]);
      },
    );

    test('comes upon an entry that is none any more, as long as it was none when it was summarised', async () => {
      const entries = entriesOf(3 * BLOCK_ENTRIES, 1, (seq) => ({ at: seq }));
      await startLog(entries.map((each) => (each.seq === 1_500 ? { ...each, entry: 'nonsense' } : each)));
      await summariseAll();
      const refused = harness.repositories.audit.query(tenant, { agent: 'nobody', limit: 5 });
      await expect(refused).rejects.toMatchObject({
        code: 'invalid',
        message: expect.stringContaining('audit_entries.entry'),
      });
    });

    test('a page that may cost no more goes on where it ended', async () => {
      await startLog(entriesOf(40 * BLOCK_ENTRIES, 1, (seq) => ({ agent: seq === 5 ? 'rare' : 'often' })));
      const { audit } = harness.repositories;
      const first = await audit.query(tenant, { agent: 'rare', limit: 5 });
      expect(first).toEqual({ items: [], nextCursor: expect.any(String) });
      const last = await audit.query(tenant, { agent: 'rare', limit: 5, cursor: first.nextCursor as string });
      expect(last).toEqual({ items: [expect.objectContaining({ seq: 5 })] });
    });

    test('summaries that several make at once are those that one makes', async () => {
      const entries = entriesOf(2 * SPAN_ENTRIES + 26, 13, (seq) => ({ agent: `agent-${seq % 50}`, at: seq }));
      const log = await startLog(entries);
      await summariseAll();
      const alone = await summariesOf(log);
      expect(alone.map((rows) => rows.length)).toEqual([64, 320, 2, 512]);
      const again = await startLog(entries);
      const { audit } = harness.repositories;
      while (
        (await Promise.all([audit.summarise(3), audit.summarise(2), audit.summarise(5)])).some((done) => done > 0)
      );
      expect(await summariesOf(again)).toEqual(alone);
    });

    async function summariesOf(log: number): Promise<readonly (readonly object[])[]> {
      const { client } = harness;
      return Promise.all(
        TABLES.map(async (table) => {
          const rows = await client
            .lists(INSTANCE_SCOPE)
            .selectFrom(table)
            .selectAll()
            .where('log', '=', log)
            .execute();
          return rows
            .map(({ log: _log, ...row }) =>
              'terms' in row ? { ...row, terms: Buffer.from(row.terms).toString('hex') } : row,
            )
            .sort((left, right) => (JSON.stringify(left) < JSON.stringify(right) ? -1 : 1));
        }),
      );
    }

    test('the log grows by calls and is summarised as it grows', async () => {
      const { audit } = harness.repositories;
      tenant = 'grown';
      for (let made = 0; made < BLOCK_ENTRIES + 3; made += 171) {
        await runInTransaction(harness.client, async (context) => {
          for (let index = 0; index < 171; index++) {
            const agent = made === 171 && index === 5 ? 'rare' : 'often';
            await audit.append({ at: made + index, tenant, type: 'denied', agent }, context);
          }
        });
      }
      expect(await audit.summarise(1_000)).toBe(1);
      expect(await audit.summarise(1_000)).toBe(0);
      expect((await audit.query(tenant, { agent: 'rare', limit: 1 })).items.map(({ seq }) => seq)).toEqual([176]);
    });
  });
}

const RUNS = 12;

const anyName = fc.constantFrom('a', 'b', 'c', 'rare-1', 'rare-2');
const anyMembers = fc.record(
  {
    agent: anyName,
    integration: fc.constantFrom('github', 'slack'),
    action: anyName,
    decision: fc.constantFrom('allow', 'deny'),
    type: fc.constantFrom('intent', 'outcome', 'denied'),
    at: fc.integer({ min: 0, max: 40_000 }),
  },
  { requiredKeys: ['type', 'at'] },
);
/** Few kinds of entries, which come again and again, at places with gaps; and some that are no entries. */
const anyEntries = fc
  .record({
    kinds: fc.array(fc.tuple(anyMembers, fc.integer({ min: 1, max: 400 })), { minLength: 3, maxLength: 12 }),
    gapMax: fc.integer({ min: 20, max: 200 }),
    start: fc.integer({ min: 0, max: PLACES }),
    seed: fc.nat(),
    nonsense: fc.boolean(),
  })
  .map(({ kinds, gapMax, start, seed, nonsense }) => {
    const entries: NewEntry[] = [];
    let random = seed;
    const next = (below: number) => {
      random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((random / 2 ** 32) * below);
    };
    for (let seq = start; seq < start + PLACES && entries.length < 1_000; seq += 1 + next(gapMax)) {
      const [members] = kinds.find(([, every]) => next(every) === 0) ?? (kinds[0] as (typeof kinds)[0]);
      const at = Math.max(0, members.at + Math.floor(seq / 10) - next(2_000));
      const isEntry = !nonsense || next(300) > 0;
      entries.push({
        seq,
        entry: isEntry ? textOf(seq, { ...members, at }) : (['nonsense', '{"at":"x"}', '{}'][next(3)] as string),
      });
    }
    return entries;
  });
const anyFilters: fc.Arbitrary<Filters> = fc
  .record(
    {
      agent: fc.oneof(anyName, fc.constant('nobody')),
      integration: fc.constantFrom('github', 'slack', 'nothing'),
      action: anyName,
      decision: fc.constantFrom('allow', 'deny'),
      type: fc.constantFrom('intent', 'outcome', 'denied'),
      from: fc.integer({ min: 0, max: 50_000 }),
      to: fc.integer({ min: 0, max: 50_000 }),
    },
    { requiredKeys: [] },
  )
  .map((filters) => (Object.keys(filters).length === 0 ? { agent: 'a' } : filters) as Filters);
const anyBounds: fc.Arbitrary<SearchBounds> = fc.oneof(
  fc.constant(SEARCH_BOUNDS),
  fc.record({ entriesMax: fc.integer({ min: BLOCK_ENTRIES, max: 9_000 }), blocksMax: fc.integer({ min: 0, max: 40 }) }),
);

function textOf(seq: number, members: object): string {
  return JSON.stringify({ v: 1, id: String(seq), seq, tenant: 't', type: 'intent', at: 0, ...members });
}

function entriesOf(places: number, step: number, membersOf: (seq: number) => object): NewEntry[] {
  return Array.from({ length: Math.floor(places / step) }, (_, index) => ({
    seq: index * step,
    entry: textOf(index * step, membersOf(index * step)),
  }));
}

/** Two values of a field that have one term. */
function collision(): readonly [string, string] {
  const known = new Map<number, string>();
  for (let number = 0; ; number++) {
    const value = `agent-${number}`;
    const other = known.get(termOf('agent', value));
    if (other !== undefined) return [other, value];
    known.set(termOf('agent', value), value);
  }
}
