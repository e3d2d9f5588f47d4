import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, expect, test } from 'vitest';
import { INSTANCE_SCOPE } from '../client.ts';
import { countOutcomes, intentOf, outcomeOf } from '../conformance/journal-calls.ts';
import { DbError } from '../ports/db-error.ts';
import { createPostgresCallJournal } from './call-journal.ts';
import { makePostgresJournalHarness } from './journal-harness.fixture.ts';
import { closePostgresHarnesses } from './postgres-harness.fixture.ts';

afterAll(closePostgresHarnesses);

/** As many as recovery reads in two steps and a bit. */
const ENTRIES_OF_OTHERS = 100_010;
/** Closed calls of the boot that is over, two entries each, as many as there may be since its lease was renewed. */
const CLOSED_CALLS = 25_000;

test('recovery finds what is open among many entries, though the server believes that there are few', async () => {
  const harness = await makePostgresJournalHarness();
  const superuser = new pg.Client(harness.superuserUrl);
  await superuser.connect();
  try {
    const { client, clock, repositories } = harness;
    const writes = client.writes(INSTANCE_SCOPE);
    await superuser.query('analyze');
    const dead = await harness.openJournal({ node: 'dead' });
    await Promise.all(['r-1', 'r-2', 'r-3'].map((id) => dead.commitIntent(intentOf(id))));
    const { lease } = await writes.selectFrom('node_leases').select('lease').executeTakeFirstOrThrow();
    // Intents have the even places of their logs, and each outcome comes next to its intent.
    for (const [log, tenant, of, entries] of [
      [98, 'gamma', lease, 2 * CLOSED_CALLS],
      [99, 'beta', 77, ENTRIES_OF_OTHERS],
    ] as const) {
      await sql`insert into audit_logs (log, tenant) values (${log}, ${tenant})`.execute(writes);
      await sql`insert into audit_entries (log, seq, lease, closes, entry)
        select ${log}, seq, case when seq % 2 = 0 then ${of}::bigint end, case when seq % 2 = 1 then seq - 1 end, '{}'
        from generate_series(0, ${entries}::bigint - 1) seq`.execute(writes);
    }
    dead.recordOutcome(outcomeOf('r-2'));
    await dead.flush();
    clock.nowMs += 15_000;
    const journal = await harness.openJournal({ node: 'other' });
    expect(await journal.recover()).toBe(2);
    expect(await repositories.audit.size('beta')).toBe(ENTRIES_OF_OTHERS);
    expect(await repositories.audit.size('gamma')).toBe(2 * CLOSED_CALLS);
    const { items } = await repositories.audit.query('acme', { limit: 10 });
    expect(countOutcomes(items)).toEqual(new Map(['r-1', 'r-2', 'r-3'].map((id) => [id, 1])));
    const points = client.points(INSTANCE_SCOPE);
    expect(await points.selectFrom('node_leases').selectAll().execute()).toEqual([]);
    expect(await points.selectFrom('open_intents').selectAll().execute()).toEqual([]);
  } finally {
    await superuser.end();
    await harness.close();
  }
});

test('a journal is made only on a client of openPostgres, for a node and a boot with a name', async () => {
  const harness = await makePostgresJournalHarness();
  try {
    const options = { node: 'one', boot: 'a', now: () => 1_000 };
    expect(() => createPostgresCallJournal({ ...harness.client }, options)).toThrow(DbError);
    expect(() => createPostgresCallJournal(harness.client, { ...options, node: '' })).toThrow(DbError);
    expect(() => createPostgresCallJournal(harness.client, { ...options, boot: '' })).toThrow(DbError);
  } finally {
    await harness.close();
  }
});
