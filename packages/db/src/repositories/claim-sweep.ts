import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import { inOneTransaction } from '../transaction.ts';

/** Bytes of answers removed in one transaction, which calls wait behind. */
const BYTES_AT_ONCE = 16_777_216;

/** Makes `unknown` what nobody will settle any more, and removes what is over. */
export async function sweepClaims(dbClient: DbClient, nowMs: number, limit: number): Promise<number> {
  const strays = await markStrays(dbClient, limit);
  return strays + (await removeExpired(dbClient, nowMs, limit));
}

/**
 * Claims that are sent under a lease that is gone. (Those under a lease that ran out are recovery's, which closes their intents in
 * the same transaction.)
 */
async function markStrays(dbClient: DbClient, limit: number): Promise<number> {
  // In a transaction, beside which no journal dispatches or settles what is found here.
  const { numUpdatedRows } = await inOneTransaction(dbClient, undefined, (scope) =>
    scope
      .kysely(INSTANCE_SCOPE)
      .updateTable('claims')
      .set({ state: 'unknown', lease: null })
      .where('place', 'in', (select) =>
        select
          .selectFrom('claims as c')
          .leftJoin('node_leases as l', 'l.lease', 'c.lease')
          .select('c.place')
          .where('c.state', '=', 'dispatching')
          .where('l.lease', 'is', null)
          .limit(limit),
      )
      .executeTakeFirst(),
  );
  return Number(numUpdatedRows);
}

async function removeExpired(dbClient: DbClient, nowMs: number, limit: number): Promise<number> {
  const expired = await dbClient
    .points(INSTANCE_SCOPE)
    .selectFrom('claims as c')
    .leftJoin('stored_answers as a', 'a.answer', 'c.answer')
    .select(['c.place', 'c.fence', 'c.answer', 'a.bytes'])
    .where('c.expires_at', '<=', nowMs)
    .where('c.state', 'not in', ['unknown', 'dispatching'])
    .orderBy('c.expires_at')
    .limit(limit)
    .execute();
  const few = withinBytes(expired);
  if (few.length === 0) return 0;
  return inOneTransaction(dbClient, undefined, async (scope) => {
    const kysely = scope.kysely(INSTANCE_SCOPE);
    const removed = await kysely
      .deleteFrom('claims')
      .where(
        'place',
        'in',
        few.map(({ place }) => place),
      )
      .where('expires_at', '<=', nowMs)
      .where('state', 'not in', ['unknown', 'dispatching'])
      .returning('answer')
      .execute();
    const answers = removed.map(({ answer }) => answer).filter((answer) => answer !== null);
    if (answers.length > 0) await kysely.deleteFrom('stored_answers').where('answer', 'in', answers).execute();
    return removed.length;
  });
}

function withinBytes<Row extends { readonly bytes: number | null }>(rows: readonly Row[]): readonly Row[] {
  let bytes = 0;
  const over = rows.findIndex((row) => {
    bytes += row.bytes ?? 0;
    return bytes > BYTES_AT_ONCE;
  });
  return over === -1 ? rows : rows.slice(0, Math.max(over, 1));
}
