import type { Entry } from '@postern/schemas';
import { type RawBuilder, sql } from 'kysely';
import { BLOCK_ENTRIES, packWords, SEPARATOR, TERM_FIELDS, type TermField, termOf } from '../audit-terms.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import { DbError } from '../ports/db-error.ts';

/** What a block's rows say. */
export interface BlockSummary {
  readonly block: number;
  /** The least and the greatest time in it; undefined: not known. */
  readonly times: { readonly min: number; readonly max: number } | undefined;
  /** By field: the terms of its entries, each at its place; undefined: they are not known, and the block is read. */
  readonly terms: readonly Uint32Array[] | undefined;
}

/** One statement, in which the engine takes the entries apart: their text stays where it is. */
export async function readBlock(dbClient: DbClient, log: number, block: number): Promise<BlockSummary> {
  try {
    const { rows } = await selectBlock(dbClient, log, block).execute(dbClient.lists(INSTANCE_SCOPE));
    const [row] = rows;
    return { block, times: row && timesOf(row), terms: row && termsOfBlock(row) };
  } catch (error) {
    // An entry in it has a value that the engine cannot read: whoever asks for it shall find that out.
    if (error instanceof DbError && error.code === 'invalid') return { block, times: undefined, terms: undefined };
    throw error;
  }
}

/** The terms first, for the block counts from its own row on. */
export async function writeBlocks(dbClient: DbClient, log: number, blocks: readonly BlockSummary[]): Promise<void> {
  const terms = blocks.flatMap(({ block, terms: fields = [] }) =>
    fields.map((words, field) => ({ log, block, field, terms: packWords(words) })),
  );
  const writes = dbClient.writes(INSTANCE_SCOPE);
  if (terms.length > 0) {
    await writes
      .insertInto('audit_block_terms')
      .values(terms)
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
  await writes
    .insertInto('audit_blocks')
    .values(blocks.map(({ block, times }) => ({ log, block, at_min: times?.min ?? null, at_max: times?.max ?? null })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/** The values of each field as one text, in the order of the entries. */
type BlockRow = { readonly [Name in TermField]: string | null } & {
  readonly places: string | null;
  readonly unreadable: number | null;
  readonly at_min: unknown;
  readonly at_max: unknown;
};

function selectBlock({ capabilities }: DbClient, log: number, block: number): RawBuilder<BlockRow> {
  const { isJson, jsonMember, jsonText, jsonType } = capabilities;
  const text = jsonText('entry');
  const member = (name: keyof Entry, kind: 'text' | 'integer') => sql.raw(jsonMember('parsed', name, kind));
  const inOrder = (value: RawBuilder<unknown>) => sql`string_agg(${value}, ${sql.lit(SEPARATOR)} order by seq)`;
  const values = TERM_FIELDS.map((name) => {
    const value = sql`replace(${member(name, 'text')}, ${sql.lit(SEPARATOR)}, '')`;
    return sql`${inOrder(sql`coalesce(${value}, '')`)} as ${sql.ref(name)}`;
  });
  const first = block * BLOCK_ENTRIES;
  // So written, each entry is read once and not once for each member.
  return sql<BlockRow>`
    with entries as materialized (
      select seq, ${sql.raw(`case when ${isJson(text)} then cast(${text} as ${jsonType}) end`)} as parsed
      from audit_entries where log = ${log} and seq >= ${first} and seq < ${first + BLOCK_ENTRIES})
    select ${inOrder(sql`cast(seq as text)`)} as places, ${sql.join(values)},
      sum(case when parsed is null then 1 else 0 end) as unreadable,
      min(${member('at', 'integer')}) as at_min, max(${member('at', 'integer')}) as at_max
    from entries`;
}

/** Of a block without entries, which were pruned: no time asked for is between these. */
const NO_TIME = { min: Number.MAX_SAFE_INTEGER, max: -1 };

function timesOf({ places, at_min: min, at_max: max, unreadable }: BlockRow): BlockSummary['times'] {
  if (places === null) return NO_TIME;
  const isKnown = unreadable === 0 && Number.isSafeInteger(min) && Number.isSafeInteger(max);
  return isKnown ? { min: min as number, max: max as number } : undefined;
}

/** Undefined where an entry is none any more: it matches all that is asked for, so that it is found to be none. */
function termsOfBlock(row: BlockRow): BlockSummary['terms'] {
  // Of a block without entries nothing is there to be counted.
  if (row.places === null) return TERM_FIELDS.map(() => new Uint32Array(BLOCK_ENTRIES));
  if (row.unreadable !== 0) return undefined;
  const places = row.places.split(SEPARATOR).map((seq) => Number(seq) % BLOCK_ENTRIES);
  const columns = TERM_FIELDS.map((field) => columnOf(field, places, row[field]?.split(SEPARATOR) ?? []));
  return columns.every((column) => column !== undefined) ? columns : undefined;
}

function columnOf(field: TermField, places: readonly number[], values: readonly string[]): Uint32Array | undefined {
  if (values.length !== places.length) return undefined;
  const terms = new Uint32Array(BLOCK_ENTRIES);
  const known = new Map<string, number>();
  for (const [index, value] of values.entries()) {
    let term = known.get(value);
    if (term === undefined) {
      term = termOf(field, value);
      known.set(value, term);
    }
    terms[places[index] as number] = term;
  }
  return terms;
}
