import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CountingJournal, JournalHarness } from '../conformance/harness.ts';
import { findClaim, heldIntent, takeOf } from '../conformance/held-calls.ts';
import { countOutcomes, intentOf, outcomeOf, readLog } from '../conformance/journal-calls.ts';
import type { ClaimTake, IntentConditions, IntentDraft } from '../ports/call-journal.ts';
import { makePostgresJournalHarness } from './journal-harness.fixture.ts';
import { closePostgresHarnesses } from './postgres-harness.fixture.ts';

const TOO_LONG = 'long'.repeat(1_000);

describe('PostgreSQL', () => {
  let harness: JournalHarness;
  let journal: CountingJournal;
  beforeEach(async () => {
    harness = await makePostgresJournalHarness();
    journal = await harness.openJournal({ node: 'one', boot: 'boot-1' });
  });
  afterEach(() => harness.close());
  afterAll(closePostgresHarnesses);

  test('any text that it can hold is a request id: it comes back as it was, and recovery closes its call', async () => {
    const ids = [
      '"',
      '\\',
      '\\"',
      '{}',
      'NULL',
      'null',
      '',
      ' ',
      'a,b',
      "it's",
      'line\nfeed',
      '\r\t',
      'ü€😀',
      '\u2028',
      "E'\\n'",
      TOO_LONG,
    ];
    await Promise.all(ids.map((id) => journal.commitIntent(intentOf(id))));
    const after = await harness.openJournal({ node: 'one', boot: 'boot-2' });
    expect(await after.recover()).toBe(ids.length);
    expect(countOutcomes(await readLog(harness.repositories))).toEqual(new Map(ids.map((id) => [id, 1])));
  });

  test('values of an entry may hold what no text of it can', async () => {
    await journal.commitIntent(intentOf('r-1', { intent: 'a\0b\nc', url: 'https://\ud800' }));
    const [entry] = await readLog(harness.repositories);
    expect(entry).toMatchObject({ intent: 'a\0b\nc', url: 'https://\ufffd' });
  });

  const fingerprint = heldIntent('').fingerprint as string;
  const withClaim = (change: Partial<ClaimTake>): IntentConditions => ({ claim: takeOf('key-1', change) });
  const bad: readonly (readonly [what: string, change: Partial<IntentDraft>, conditions?: IntentConditions])[] = [
    ['a request id with a NUL', { requestId: 'r\0' }],
    ['a tenant with a NUL', { tenant: 'ac\0me' }],
    ['a tenant that is too long', { tenant: TOO_LONG }],
    ['a key with a NUL', { fingerprint }, { claim: takeOf('key\0') }],
    ['a key that is too long', { fingerprint }, { claim: takeOf(TOO_LONG) }],
    ['an agent of a key that is too long', { fingerprint }, withClaim({ agent: TOO_LONG })],
    ['a fingerprint with a NUL', { fingerprint }, withClaim({ fingerprint: 'f\0' })],
    ['an empty fingerprint', { fingerprint }, withClaim({ fingerprint: '' })],
    ['an empty agent of a key', { fingerprint }, withClaim({ agent: '' })],
    ['an end that is no integer', { fingerprint }, withClaim({ expiresAt: 0.5 })],
    ['an end that is no number', { fingerprint }, withClaim({ expiresAt: Number.NaN })],
    ['an end that no column holds', { fingerprint }, withClaim({ expiresAt: 1e300 })],
  ];

  test('an intent that it cannot hold is refused and takes nothing, and its neighbours stand, however many of them are bad', async () => {
    const good = journal.commitIntent(heldIntent('good-0'), { claim: takeOf('key-2') });
    const results = await Promise.allSettled(
      bad.flatMap(([what, change, conditions], index) => [
        journal.commitIntent(intentOf(what, change), conditions),
        journal.commitIntent(intentOf(`good-${index + 1}`)),
      ]),
    );
    await good;
    for (const [index, [what]] of bad.entries()) {
      expect([what, results[2 * index]]).toMatchObject([what, { status: 'rejected', reason: { code: 'invalid' } }]);
    }
    const ids = Array.from({ length: bad.length + 1 }, (_, index) => `good-${index}`);
    expect((await readLog(harness.repositories)).map(({ requestId }) => requestId)).toEqual(ids);
    expect(await findClaim(harness)).toBeUndefined();
    expect(await findClaim(harness, 'key-2')).toMatchObject({ state: 'dispatching', requestId: 'good-0' });
    // What is open is what was stored.
    for (const id of [...bad.map(([what]) => what), ...ids]) journal.recordOutcome(outcomeOf(id));
    await journal.flush();
    expect(countOutcomes(await readLog(harness.repositories))).toEqual(new Map(ids.map((id) => [id, 1])));
    const after = await harness.openJournal({ node: 'one', boot: 'boot-2' });
    expect(await after.recover()).toBe(0);
  });

  test('a grant that it cannot name is absent', async () => {
    const lost = journal.commitIntent(heldIntent('r-1'), { grant: { id: 'g\0' } });
    await expect(lost).rejects.toMatchObject({ condition: { lost: 'grant_gone', found: 'absent' } });
  });

  const badSettlements = [
    ['a problem with a NUL', { to: 'failed_final', problem: { code: 'x\0', status: 502 } }],
    ['a status that is no integer', { to: 'failed_final', problem: { code: 'x', status: 0.5 } }],
    ['an answer that is none', { to: 'succeeded', sealed: 'text' as unknown as Uint8Array }],
  ] as const;

  test('an outcome that it cannot hold closes its call as unknown, with its key, and its neighbours as they are', async () => {
    const keys = [...badSettlements.map(([what]) => what), 'good'];
    await Promise.all(keys.map((key) => journal.commitIntent(heldIntent(`r-${key}`), { claim: takeOf(key) })));
    for (const [what, claim] of badSettlements) journal.recordOutcome(outcomeOf(`r-${what}`), { claim });
    journal.recordOutcome(outcomeOf('r-good'), { claim: { to: 'succeeded', sealed: Uint8Array.of(1) } });
    await journal.flush();
    const outcomes = (await readLog(harness.repositories)).filter(({ type }) => type === 'outcome');
    expect(outcomes.map(({ result }) => result)).toEqual([...badSettlements.map(() => 'unknown'), 'done']);
    for (const [what] of badSettlements) expect(await findClaim(harness, what)).toMatchObject({ state: 'unknown' });
    expect(await findClaim(harness, 'good')).toMatchObject({ state: 'succeeded', answer: { bytes: 1 } });
  });

  test('refusals of a tenant that it cannot hold are left aside, and hold up nobody', async () => {
    for (const tenant of ['ac\0me', TOO_LONG]) journal.recordRefusal({ at: 1, tenant, type: 'denied' });
    journal.recordRefusal({ at: 1, tenant: 'acme', type: 'denied', requestId: 'r\0' });
    await journal.flush();
    expect(await readLog(harness.repositories)).toMatchObject([{ type: 'denied', requestId: 'r\0' }]);
    expect(journal.stats()).toMatchObject({ refusedRecords: 2, records: 1 });
  });
});
