import fc from 'fast-check';
import { BLOCK_ENTRIES, SPAN_ENTRIES } from '../audit-terms.ts';
import { INSTANCE_SCOPE } from '../client.ts';
import type { DbHarness } from '../conformance/harness.ts';
import { encodeCursor } from '../page.ts';
import type { AuditQuery } from '../ports/audit.ts';
import { AUDIT_LIST, type FoundEntry, selectMatching } from './audit-conditions.ts';
import { SEARCH_BOUNDS, type SearchBounds, searchEntries } from './audit-search.ts';

export type Filters = Omit<AuditQuery, 'limit' | 'cursor'>;
export interface NewEntry {
  readonly seq: number;
  readonly entry: string;
}

export const SUMMARY_TABLES = [
  'audit_blocks',
  'audit_block_terms',
  'audit_spans',
  'audit_span_terms',
  'audit_era_terms',
] as const;

const ROWS_AT_ONCE = 500;

/** A log of a tenant of its own, written past the journal: so that it has the entries that a test wants, where it wants them. */
export class SearchScene {
  readonly harness: DbHarness;
  readonly tenant: string;
  readonly log: number;

  private constructor(harness: DbHarness, tenant: string, log: number) {
    this.harness = harness;
    this.tenant = tenant;
    this.log = log;
  }

  static async start(harness: DbHarness, entries: readonly NewEntry[]): Promise<SearchScene> {
    const writes = harness.client.writes(INSTANCE_SCOPE);
    const tenant = `tenant-${performance.now()}`;
    const inserting = writes.insertInto('audit_logs').values({ tenant }).returning('log');
    const { log } = await inserting.executeTakeFirstOrThrow();
    const scene = new SearchScene(harness, tenant, log);
    await scene.store(entries);
    return scene;
  }

  async store(entries: readonly NewEntry[]): Promise<void> {
    for (let first = 0; first < entries.length; first += ROWS_AT_ONCE) {
      const rows = entries.slice(first, first + ROWS_AT_ONCE).map((entry) => ({ ...entry, log: this.log }));
      await this.harness.client.writes(INSTANCE_SCOPE).insertInto('audit_entries').values(rows).execute();
    }
  }

  async prune(places: readonly number[]): Promise<void> {
    for (let first = 0; first < places.length; first += ROWS_AT_ONCE) {
      await this.harness.client
        .writes(INSTANCE_SCOPE)
        .deleteFrom('audit_entries')
        .where('log', '=', this.log)
        .where('seq', 'in', places.slice(first, first + ROWS_AT_ONCE))
        .execute();
    }
  }

  async summariseAll(): Promise<void> {
    while ((await this.harness.repositories.audit.summarise(1_000)) > 0);
  }

  /** All that the plain scan finds. */
  scan(filters: Filters): Promise<readonly FoundEntry[]> {
    return selectMatching(this.harness.client, this.tenant, { ...filters, limit: 1 })
      .clearLimit()
      .execute();
  }

  /** All pages of a search, put together; `between` happens after each. */
  async searchAll(
    query: AuditQuery,
    bounds: SearchBounds = SEARCH_BOUNDS,
    between = async () => {},
  ): Promise<readonly FoundEntry[]> {
    const found: FoundEntry[] = [];
    let cursor: number | undefined;
    do {
      const place = cursor === undefined ? {} : { cursor: encodeCursor(AUDIT_LIST, cursor) };
      const page = await searchEntries(this.harness.client, this.tenant, { ...query, ...place }, bounds);
      found.push(...page.rows.slice(0, query.limit));
      const next = page.rows.length > query.limit ? page.rows[query.limit - 1]?.seq : page.searchedTo;
      if (next !== undefined && cursor !== undefined && next >= cursor) throw new Error('a search does not get on');
      cursor = next;
      await between();
    } while (cursor !== undefined);
    return found;
  }

  async summaries(): Promise<readonly (readonly object[])[]> {
    const lists = this.harness.client.lists(INSTANCE_SCOPE);
    return Promise.all(
      SUMMARY_TABLES.map(async (table) => {
        const rows = await lists.selectFrom(table).selectAll().where('log', '=', this.log).execute();
        return rows.map(told).sort((left, right) => (JSON.stringify(left) < JSON.stringify(right) ? -1 : 1));
      }),
    );
  }
}

function told({ log: _log, ...row }: { readonly log: number; readonly terms?: Uint8Array }): object {
  return 'terms' in row ? { ...row, terms: Buffer.from(row.terms ?? []).toString('hex') } : row;
}

export function textOf(seq: number, members: object): string {
  return JSON.stringify({ v: 1, id: String(seq), seq, tenant: 't', type: 'intent', at: 0, ...members });
}

/** One at every `step`th place. */
export function entriesOf(places: number, step: number, membersOf: (seq: number) => object): NewEntry[] {
  return Array.from({ length: Math.floor(places / step) }, (_, index) => ({
    seq: index * step,
    entry: textOf(index * step, membersOf(index * step)),
  }));
}

const anyName = fc.constantFrom('a', 'b', 'c', 'rare-1', 'rare-2');
const anyType = fc.constantFrom('intent', 'outcome', 'denied');
const anyMembers = fc.record(
  {
    agent: anyName,
    integration: fc.constantFrom('github', 'slack'),
    action: anyName,
    decision: fc.constantFrom('allow', 'deny'),
    type: anyType,
    at: fc.integer({ min: 0, max: 40_000 }),
  },
  { requiredKeys: ['type', 'at'] },
);

/**
 * A log of three spans with far more places than entries, as if it were pruned here and there. Few kinds of entries come again and again, times
 * go up and down, and some are no entries.
 */
export const anyEntries: fc.Arbitrary<readonly NewEntry[]> = fc
  .record({
    kinds: fc.array(fc.tuple(anyMembers, fc.integer({ min: 1, max: 400 })), { minLength: 3, maxLength: 12 }),
    gapMax: fc.integer({ min: 100, max: 200 }),
    start: fc.integer({ min: 0, max: 3 * SPAN_ENTRIES }),
    seed: fc.nat(),
    hasNonsense: fc.boolean(),
  })
  .map(({ kinds, gapMax, start, seed, hasNonsense }) => {
    const entries: NewEntry[] = [];
    const next = randomFrom(seed);
    for (let seq = start; seq < start + 3 * SPAN_ENTRIES; seq += 1 + next(gapMax)) {
      const [members] = kinds.find(([, every]) => next(every) === 0) ?? (kinds[0] as (typeof kinds)[0]);
      const at = Math.max(0, members.at + Math.floor(seq / 10) - next(2_000));
      const isEntry = !hasNonsense || next(300) > 0;
      entries.push({ seq, entry: isEntry ? textOf(seq, { ...members, at }) : (NONSENSE[next(3)] as string) });
    }
    return entries;
  });

const NONSENSE = ['nonsense', '{"at":"x"}', '{}'];

/** Whole numbers from 0 up to `below`, always the same ones. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

export const anyFilters: fc.Arbitrary<Filters> = fc
  .record(
    {
      agent: fc.oneof(anyName, fc.constant('nobody')),
      integration: fc.constantFrom('github', 'slack', 'nothing'),
      action: anyName,
      decision: fc.constantFrom('allow', 'deny'),
      type: anyType,
      from: fc.integer({ min: 0, max: 60_000 }),
      to: fc.integer({ min: 0, max: 60_000 }),
    },
    { requiredKeys: [] },
  )
  .map((filters) => (Object.keys(filters).length === 0 ? { agent: 'a' } : filters) as Filters);

export const anyBounds: fc.Arbitrary<SearchBounds> = fc.oneof(
  fc.constant(SEARCH_BOUNDS),
  fc.record({ entriesMax: fc.integer({ min: BLOCK_ENTRIES, max: 9_000 }), blocksMax: fc.integer({ min: 0, max: 40 }) }),
);
