import { isDeepStrictEqual } from 'node:util';
import type { EntryDraft } from '@postern/schemas';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { intentOf, outcomeOf } from '../conformance/journal-calls.ts';
import type { IntentDraft } from '../ports/call-journal.ts';
import {
  INTENT,
  type JournalBatch,
  type JournalDraft,
  OUTCOME,
  REFUSAL,
  type RecordEffects,
  type RecordKind,
} from './batch.ts';
import { packBatch, unpackBatch } from './pack-batch.ts';

/** All that the journal carries; versions of a policy stand in entries of the control plane alone. */
const FULL_REFUSAL: Required<Omit<EntryDraft, 'versions'>> = {
  ...intentOf('r-9', { intent: 'to read', credential: 'token', attempt: 1, addresses: ['192.0.2.1'], count: 2 }),
  ...outcomeOf('r-9', { code: 'denied', argsHash: 'sha-256:00' }),
  actor: 'alice',
  subject: 'agent:coder',
  fingerprint: 'f1',
  risk: { score: 0.7, labels: ['shell'] },
  approval: 'a-1',
  grant: 'g-1',
  node: 'node-1',
  type: 'denied',
} as Required<Omit<EntryDraft, 'versions'>>;

/** Over a real clone, as between threads. */
function carried(batch: JournalBatch): JournalBatch {
  return unpackBatch(structuredClone(packBatch(batch)));
}

function batchOf(...records: (readonly [RecordKind, JournalDraft, RecordEffects?])[]): JournalBatch {
  const effects = new Map<number, RecordEffects>();
  for (const [index, [, , effect]] of records.entries()) {
    if (effect !== undefined) effects.set(index, effect);
  }
  return { now: 5, kinds: records.map(([kind]) => kind), drafts: records.map(([, draft]) => draft), effects };
}

function withoutAbsent({ now, kinds, drafts, effects }: JournalBatch) {
  const present = drafts.map((draft) => Object.entries(draft).filter(([, value]) => value !== undefined));
  return { now, kinds, effects, drafts: present.map((entries) => Object.fromEntries(entries)) };
}

test('every member of every kind of record arrives', () => {
  const batch = batchOf(
    [REFUSAL, FULL_REFUSAL],
    [INTENT, { ...FULL_REFUSAL, type: undefined, node: undefined } as unknown as JournalDraft],
    [OUTCOME, outcomeOf('r-9', { code: 'upstream_timeout', attempt: 3, argsHash: 'sha-256:00' })],
  );
  const { type: _type, node: _node, result, status, code, latencyMs, argsHash, ...rest } = FULL_REFUSAL;
  const { approval, grant, ...intent } = rest;
  expect([result, status, code, latencyMs, argsHash, approval, grant]).not.toContain(undefined);
  expect(withoutAbsent(carried(batch)).drafts).toEqual([FULL_REFUSAL, intent, batch.drafts[2]]);
});

test('a record says only what is not as before', () => {
  const one = batchOf([INTENT, intentOf('r-1')]);
  const two = batchOf([INTENT, intentOf('r-1')], [INTENT, intentOf('r-2')]);
  expect(packBatch(two)).toHaveLength(packBatch(one).length + 2);
});

test('addresses and risk are said again only when they say something else', () => {
  const draft = (requestId: string, address: string, risk: IntentDraft['risk']) =>
    intentOf(requestId, { addresses: [address], risk });
  const of = (...drafts: IntentDraft[]) => batchOf(...drafts.map((each) => [INTENT, each] as const));
  const first = draft('r-1', '192.0.2.1', { score: 0.3, labels: ['shell'] });
  const others = [
    [draft('r-2', '192.0.2.1', { score: 0.3, labels: ['shell'] }), 2],
    [draft('r-2', '192.0.2.2', { score: 0.3, labels: ['shell'] }), 3],
    [draft('r-2', '192.0.2.1', { score: 0.4, labels: ['shell'] }), 3],
    [draft('r-2', '192.0.2.1', { score: 0.3, labels: ['pii'] }), 3],
    [draft('r-2', '192.0.2.1', { score: 0.3, labels: ['shell', 'pii'] }), 3],
    [draft('r-2', '192.0.2.1', { score: 0.3, labels: [] }), 3],
    [draft('r-2', '192.0.2.1', undefined), 3],
    [{ ...draft('r-2', '192.0.2.1', first.risk), addresses: undefined } as unknown as IntentDraft, 3],
  ] as const;
  for (const [other, more] of others) {
    for (const batch of [of(first, other), of(other, first)]) {
      expect(packBatch(batch).length - packBatch(of(batch.drafts[0] as IntentDraft)).length).toBe(more);
      expect(withoutAbsent(carried(batch))).toEqual(withoutAbsent(batch));
    }
  }
});

test('what a record brings along arrives with it, and costs the others nothing', () => {
  const take = { claim: { agent: 'coder', integration: 'github', key: 'k', fingerprint: 'f1', expiresAt: 9 } };
  const settlement = { claim: { to: 'succeeded', sealed: Uint8Array.of(0, 3, 255) } } as const;
  const batch = batchOf(
    [INTENT, intentOf('r-1')],
    [INTENT, intentOf('r-2'), take],
    [REFUSAL, FULL_REFUSAL],
    [OUTCOME, outcomeOf('r-1'), settlement],
    [INTENT, intentOf('r-3')],
  );
  expect(withoutAbsent(carried(batch))).toEqual(batch);
  const plain = { ...batch, effects: new Map() };
  expect(packBatch(batch)).toHaveLength(packBatch(plain).length + 4);
});

test('what one record has and the next has not is absent in the next', () => {
  const batch = batchOf(
    [INTENT, intentOf('r-1', { intent: 'to read' })],
    [OUTCOME, outcomeOf('r-1', { code: 'x' })],
    [INTENT, intentOf('r-2')],
    [OUTCOME, outcomeOf('r-2')],
  );
  expect(withoutAbsent(carried(batch))).toEqual(batch);
});

test('any batch arrives as it was', () => {
  const value = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.double(),
    fc.integer(),
    fc.constant(undefined),
    fc.constant(null),
  );
  const names = ['at', 'tenant', 'requestId', 'code', 'status', 'latencyMs', 'attempt', 'result'];
  const draft = (ofKind: readonly string[]) =>
    fc.dictionary(fc.constantFrom(...ofKind), value) as unknown as fc.Arbitrary<JournalDraft>;
  const effects = fc.option(fc.constant<RecordEffects>({ grant: 'spent' }), { nil: undefined });
  const record = fc.oneof(
    fc.tuple(fc.constant<RecordKind>(OUTCOME), draft(names), effects),
    fc.tuple(fc.constant<RecordKind>(REFUSAL), draft([...names, 'approval', 'grant', 'fingerprint']), effects),
  );
  fc.assert(
    fc.property(fc.array(record, { maxLength: 6 }), (records) => {
      const batch = batchOf(...records);
      const [given, arrived] = [withoutAbsent(batch), withoutAbsent(carried(batch))];
      // A zero has no sign in JSON.
      const plain = (key: string, member: unknown) => {
        if (member instanceof Map) return [...member];
        return Number.isNaN(member) ? `${key} NaN` : member;
      };
      expect(
        isDeepStrictEqual(JSON.parse(JSON.stringify(arrived, plain)), JSON.parse(JSON.stringify(given, plain))),
      ).toBe(true);
    }),
  );
});
