import { isDeepStrictEqual } from 'node:util';
import type { EntryDraft } from '@postern/schemas';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { intentOf, outcomeOf } from '../conformance/journal-calls.ts';
import { packBatch, unpackBatch } from './pack-batch.ts';
import { INTENT, type JournalBatch, type JournalDraft, OUTCOME, REFUSAL, type RecordKind } from './protocol.ts';

const FULL_REFUSAL: Required<EntryDraft> = {
  ...intentOf('r-9', { intent: 'to read', credential: 'token', attempt: 1, addresses: ['192.0.2.1'], count: 2 }),
  ...outcomeOf('r-9', { code: 'denied', argsHash: 'sha-256:00' }),
  actor: 'alice',
  subject: 'agent:coder',
  node: 'node-1',
  type: 'denied',
} as Required<EntryDraft>;

/** Over a real clone, as between threads. */
function carried(batch: JournalBatch): JournalBatch {
  return unpackBatch(structuredClone(packBatch(batch)));
}

function batchOf(...records: (readonly [RecordKind, JournalDraft])[]): JournalBatch {
  return { now: 5, kinds: records.map(([kind]) => kind), drafts: records.map(([, draft]) => draft) };
}

function withoutAbsent({ now, kinds, drafts }: JournalBatch) {
  const present = drafts.map((draft) => Object.entries(draft).filter(([, value]) => value !== undefined));
  return { now, kinds, drafts: present.map((entries) => Object.fromEntries(entries)) };
}

test('every member of every kind of record arrives', () => {
  const batch = batchOf(
    [REFUSAL, FULL_REFUSAL],
    [INTENT, { ...FULL_REFUSAL, type: undefined, node: undefined } as unknown as JournalDraft],
    [OUTCOME, outcomeOf('r-9', { code: 'upstream_timeout', attempt: 3, argsHash: 'sha-256:00' })],
  );
  const { type: _type, node: _node, result, status, code, latencyMs, argsHash, ...intent } = FULL_REFUSAL;
  expect([result, status, code, latencyMs, argsHash]).not.toContain(undefined);
  expect(withoutAbsent(carried(batch)).drafts).toEqual([FULL_REFUSAL, intent, batch.drafts[2]]);
});

test('a record says only what is not as before', () => {
  const one = batchOf([INTENT, intentOf('r-1')]);
  const two = batchOf([INTENT, intentOf('r-1')], [INTENT, intentOf('r-2')]);
  expect(packBatch(two)).toHaveLength(packBatch(one).length + 2);
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
  const record = fc.tuple(
    fc.constantFrom<RecordKind>(OUTCOME, REFUSAL),
    fc.dictionary(fc.constantFrom(...names), value) as unknown as fc.Arbitrary<JournalDraft>,
  );
  fc.assert(
    fc.property(fc.array(record, { maxLength: 6 }), (records) => {
      const batch = batchOf(...records);
      const [given, arrived] = [withoutAbsent(batch), withoutAbsent(carried(batch))];
      // A zero has no sign in JSON.
      const plain = (key: string, member: unknown) => (Number.isNaN(member) ? `${key} NaN` : member);
      expect(
        isDeepStrictEqual(JSON.parse(JSON.stringify(arrived, plain)), JSON.parse(JSON.stringify(given, plain))),
      ).toBe(true);
    }),
  );
});
