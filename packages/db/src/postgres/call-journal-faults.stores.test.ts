import pg from 'pg';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { describeCallJournalFailures } from '../conformance/call-journal-failures.ts';
import type { CountingJournal } from '../conformance/harness.ts';
import { findClaim, grantFor, heldIntent, takeOf } from '../conformance/held-calls.ts';
import { countOutcomes, intentOf, outcomeOf, readLog } from '../conformance/journal-calls.ts';
import { createDbRepositories } from '../repositories/create-db-repositories.ts';
import { createPostgresCallJournal } from './call-journal.ts';
import { type CutProxy, startCutProxy } from './cut-proxy.fixture.ts';
import { makePostgresJournalHarness } from './journal-harness.fixture.ts';
import { openPostgres } from './open-postgres.ts';
import { closePostgresHarnesses, makePostgresHarness, type PostgresHarness } from './postgres-harness.fixture.ts';
import { grantTo } from './role-findings.ts';

afterAll(closePostgresHarnesses);

/** All but the reads of the test go by way of a proxy. */
async function makeCutHarness() {
  const harness = await makePostgresHarness();
  const proxy = await startCutProxy(harness.url);
  const client = await openPostgres({ url: proxy.url });
  const now = () => harness.clock.nowMs;
  let ids = 0;
  let journals = 0;
  return {
    ...harness,
    client,
    repositories: createDbRepositories(client, { now, newId: () => `cut-${++ids}` }),
    direct: harness,
    proxy,
    async openJournal(settings = {}): Promise<CountingJournal> {
      journals += 1;
      return createPostgresCallJournal(client, { node: 'node-1', boot: `boot-of-${journals}`, now, ...settings });
    },
    async close() {
      proxy.letGo();
      await client.close();
      await proxy.end();
      await harness.close();
    },
  };
}

describe('PostgreSQL that takes no writes', () => {
  describeCallJournalFailures(async () => {
    const harness = await makePostgresJournalHarness();
    const asSuperuser = async (statement: string) => {
      const superuser = new pg.Client(harness.superuserUrl);
      await superuser.connect();
      await superuser.query(statement);
      await superuser.end();
    };
    const mendStore = () => asSuperuser(grantTo('postern_app').join(';'));
    return {
      ...harness,
      breakStore: () => asSuperuser('revoke insert, update, delete on all tables in schema public from postern_app'),
      mendStore,
      async close() {
        await mendStore();
        await harness.close();
      },
    };
  });
});

describe('a connection that breaks during a commit', () => {
  let harness: Awaited<ReturnType<typeof makeCutHarness>>;
  let proxy: CutProxy;
  let direct: PostgresHarness;
  let journal: CountingJournal;
  beforeEach(async () => {
    harness = await makeCutHarness();
    ({ proxy, direct } = harness);
    journal = await harness.openJournal({ node: 'one', boot: 'boot-1' });
  });
  afterEach(() => harness.close());

  const unavailable = { code: 'unavailable', message: expect.stringContaining('cannot be written') };
  const logged = async () =>
    (await readLog(direct.repositories)).map(({ type, requestId, result }) => [type, requestId, result ?? '']);
  const untilAllIsStored = () => vi.waitFor(() => expect(journal.lag().entries).toBe(0), { timeout: 10_000 });

  /** By way of one round trip, as the second call of a journal goes, and of two, as the first does. */
  describe.each([
    ['its first', []],
    ['a later', ['r-0']],
  ])('with %s batch', (_name, before) => {
    beforeEach(async () => {
      for (const requestId of before) {
        await journal.commitIntent(intentOf(requestId));
        journal.recordOutcome(outcomeOf(requestId));
        await journal.flush();
      }
    });
    const logBefore = before.flatMap((requestId) => [
      ['intent', requestId, ''],
      ['outcome', requestId, 'done'],
    ]);

    test('an intent whose commit was lost is refused and never there, and what came with it is stored once', async () => {
      const cut = proxy.cutAt('r-1', 'lost');
      journal.recordRefusal({ at: 1, tenant: 'acme', type: 'denied', requestId: 'r-denied' });
      await expect(journal.commitIntent(intentOf('r-1'))).rejects.toMatchObject(unavailable);
      await cut;
      await untilAllIsStored();
      expect(await logged()).toEqual([...logBefore, ['denied', 'r-denied', '']]);
    });

    test('an intent whose commit was not answered is refused, and closed as not sent; what came with it is not stored twice', async () => {
      const cut = proxy.cutAt('r-1', 'unanswered');
      journal.recordRefusal({ at: 1, tenant: 'acme', type: 'denied', requestId: 'r-denied' });
      await expect(journal.commitIntent(intentOf('r-1'))).rejects.toMatchObject(unavailable);
      await cut;
      await vi.waitFor(async () => expect((await logged()).length).toBe(logBefore.length + 3), { timeout: 10_000 });
      expect(await logged()).toEqual([
        ...logBefore,
        ['denied', 'r-denied', ''],
        ['intent', 'r-1', ''],
        ['outcome', 'r-1', 'not_sent'],
      ]);
      const [outcome] = (await readLog(direct.repositories)).slice(-1);
      expect(outcome).toMatchObject({ code: 'audit_unavailable', method: 'GET', agent: 'coder' });
    });
  });

  test.each([
    ['its first', []],
    ['a later', ['r-0']],
  ])(
    'a commit with %s batch that reaches the server long after it was given up changes nothing',
    async (_name, before) => {
      for (const requestId of before) await journal.commitIntent(intentOf(requestId));
      const cut = proxy.cutAt('r-1', 'late');
      await expect(journal.commitIntent(intentOf('r-1'))).rejects.toMatchObject(unavailable);
      await cut;
      // Asks what became of it, and adds nothing to the log.
      await vi.waitFor(() => journal.recover(), { timeout: 10_000 });
      await proxy.deliver();
      expect((await logged()).map(([, requestId]) => requestId)).toEqual(before);
      await journal.commitIntent(intentOf('r-2'));
      for (const requestId of [...before, 'r-2']) journal.recordOutcome(outcomeOf(requestId));
      await journal.flush();
      const outcomes = countOutcomes(await readLog(direct.repositories));
      expect(outcomes).toEqual(new Map([...before, 'r-2'].map((requestId) => [requestId, 1])));
    },
  );

  test('a batch with a record that cannot be stored is in doubt like any other', async () => {
    const cut = proxy.cutAt('commit\0', 'unanswered');
    const intents = Promise.allSettled([
      journal.commitIntent(intentOf('r-1')),
      journal.commitIntent(intentOf('r-bad', { at: 0.5 })),
    ]);
    journal.recordRefusal({ at: 1, tenant: 'acme', type: 'denied', requestId: 'r-denied' });
    for (const result of await intents) expect(result).toMatchObject({ status: 'rejected', reason: unavailable });
    await cut;
    await vi.waitFor(async () => expect((await logged()).length).toBe(3), { timeout: 10_000 });
    await untilAllIsStored();
    expect(await logged()).toEqual([
      ['intent', 'r-1', ''],
      ['denied', 'r-denied', ''],
      ['outcome', 'r-1', 'not_sent'],
    ]);
  });

  test('what such a call took is given back: key, grant and approval', async () => {
    const { approvalId, grantId } = await grantFor(direct, { kind: 'once', expiresAt: 90_000_000 });
    const conditions = { claim: takeOf(), grant: { id: grantId } };
    const cut = proxy.cutAt('r-1', 'unanswered');
    await expect(journal.commitIntent(heldIntent('r-1'), conditions)).rejects.toMatchObject(unavailable);
    await cut;
    await vi.waitFor(async () => expect(await findClaim(direct)).toMatchObject({ state: 'failed_not_sent' }), {
      timeout: 10_000,
    });
    const { nowMs } = direct.clock;
    expect(await direct.repositories.grants.getById('acme', grantId, nowMs)).toMatchObject({ state: 'usable' });
    expect(await direct.repositories.approvals.getById('acme', approvalId, nowMs)).toMatchObject({
      status: 'approved',
    });
    await journal.commitIntent(heldIntent('r-2'), conditions);
  });

  test('while the server still believes in the lost connection nothing is written; then all goes on', async () => {
    const cut = proxy.cutAt('r-1', 'lost and held');
    journal.recordRefusal({ at: 1, tenant: 'acme', type: 'denied', requestId: 'r-denied' });
    await expect(journal.commitIntent(heldIntent('r-1'), { claim: takeOf() })).rejects.toMatchObject(unavailable);
    await cut;
    // The lost transaction holds the log's lock, so this waits for its end: by the server, which ends what nobody moves on.
    await journal.commitIntent(intentOf('r-2'));
    expect(await logged()).toEqual([
      ['denied', 'r-denied', ''],
      ['intent', 'r-2', ''],
    ]);
    expect(await findClaim(direct)).toBeUndefined();
  });

  test('an outcome is stored once, and the same call is not closed twice, whether or not its commit was lost', async () => {
    for (const [requestId, cut] of [
      ['r-1', 'lost'],
      ['r-2', 'unanswered'],
    ] as const) {
      await journal.commitIntent(intentOf(requestId));
      const done = proxy.cutAt(requestId, cut);
      journal.recordOutcome(outcomeOf(requestId), { claim: { to: 'failed_not_sent' } });
      await expect(journal.flush()).rejects.toMatchObject(unavailable);
      await done;
      await untilAllIsStored();
      expect(journal.settling(requestId)).toBeUndefined();
    }
    expect(await logged()).toEqual([
      ['intent', 'r-1', ''],
      ['outcome', 'r-1', 'done'],
      ['intent', 'r-2', ''],
      ['outcome', 'r-2', 'done'],
    ]);
  });

  test('a boot that never learns what became of it leaves the call to recovery', async () => {
    const cut = proxy.cutAt('r-1', 'unanswered');
    await expect(journal.commitIntent(intentOf('r-1'))).rejects.toMatchObject(unavailable);
    await cut;
    proxy.close();
    await expect(journal.commitIntent(intentOf('r-2'))).rejects.toMatchObject(unavailable);
    const after = createPostgresCallJournal(await direct.connectAgain(), {
      node: 'one',
      boot: 'boot-2',
      now: () => direct.clock.nowMs,
    });
    expect(await after.recover()).toBe(1);
    expect(await logged()).toEqual([
      ['intent', 'r-1', ''],
      ['outcome', 'r-1', 'unknown'],
    ]);
    proxy.open();
    // The first boot finds that its lease, and with it the call, is another's business.
    await vi.waitFor(() => journal.commitIntent(intentOf('r-3')), { timeout: 10_000 });
    await journal.flush();
    expect(countOutcomes(await readLog(direct.repositories))).toEqual(
      new Map([
        ['r-1', 1],
        ['r-3', 0],
      ]),
    );
  });

  test('a lease whose renewal was not answered is still this boot’s', async () => {
    await journal.commitIntent(intentOf('r-1'));
    direct.clock.nowMs += 6_000;
    const cut = proxy.cutAt('update node_leases', 'unanswered');
    journal.recordOutcome(outcomeOf('r-0'));
    await expect(journal.flush()).rejects.toMatchObject(unavailable);
    await cut;
    await untilAllIsStored();
    journal.recordOutcome(outcomeOf('r-1'));
    await journal.flush();
    expect((await logged()).map(([type]) => type)).toEqual(['intent', 'violation', 'outcome']);
  });
});
