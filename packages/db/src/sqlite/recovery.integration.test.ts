import { temporaryFolder } from '@postern/testing';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { INSTANCE_SCOPE } from '../client.ts';
import { countOutcomes, intentOf, outcomeOf } from '../conformance/journal-calls.ts';
import { selectMatching } from '../repositories/audit-conditions.ts';
import { makeSqliteHarness } from './sqlite-harness.fixture.ts';

/** As many as recovery reads in two steps and a bit. */
const ENTRIES_OF_OTHERS = 100_010;

test('recovery finds what is open among many entries of others, which it leaves as they are', async () => {
  await using folder = await temporaryFolder();
  const harness = await makeSqliteHarness(folder.path);
  try {
    const { client, clock, repositories } = harness;
    const dead = await harness.openJournal({ node: 'dead' });
    await Promise.all(['r-1', 'r-2', 'r-3'].map((id) => dead.commitIntent(intentOf(id))));
    // Calls of another boot in another log, most of them closed: the intents have the even places.
    await sql`insert into audit_logs (log, tenant) values (99, 'beta')`.execute(client.writes(INSTANCE_SCOPE));
    await sql`insert into audit_entries (log, seq, lease, closes, entry)
      with recursive n (seq) as (select 0 union all select seq + 1 from n where seq + 1 < ${ENTRIES_OF_OTHERS})
      select 99, seq, case when seq % 2 = 0 then 77 end, case when seq % 2 = 1 then seq - 1 end, '{}' from n`.execute(
      client.writes(INSTANCE_SCOPE),
    );
    dead.recordOutcome(outcomeOf('r-2'));
    await dead.flush();
    clock.nowMs += 15_000;
    const journal = await harness.openJournal({ node: 'other' });
    expect(await journal.recover()).toBe(2);
    expect(await repositories.audit.size('beta')).toBe(ENTRIES_OF_OTHERS);
    const { items } = await repositories.audit.query('acme', { limit: 10 });
    expect(countOutcomes(items)).toEqual(
      new Map([
        ['r-1', 1],
        ['r-2', 1],
        ['r-3', 1],
      ]),
    );
    expect(await client.points(INSTANCE_SCOPE).selectFrom('node_leases').selectAll().execute()).toEqual([]);
  } finally {
    await harness.close();
  }
});

test('a query for a request id reads by the index, whatever else it asks for', async () => {
  const harness = await makeSqliteHarness();
  try {
    const query = selectMatching(harness.client, 'acme', { requestId: 'r-1', agent: 'coder', limit: 5 });
    const plan = await sql<{ detail: string }>`explain query plan ${sql.raw(query.compile().sql)}`.execute(
      harness.client.points(INSTANCE_SCOPE),
    );
    expect(plan.rows.map((row) => row.detail).join('; ')).toContain('audit_entries_by_request (request_key=?)');
  } finally {
    await harness.close();
  }
});
