import type { ClaimRecord } from '@postern/db/ports';
import { expect, test } from 'vitest';
import { AnsweredClaims } from './answered-claims.ts';

const SCOPE = { tenant: 'acme', agent: 'coder', integration: 'api', key: 'k-1' };

const claimOf = (members: Partial<ClaimRecord> = {}): ClaimRecord => ({
  ...SCOPE,
  id: '1-1',
  fingerprint: 'f',
  state: 'succeeded',
  fence: 1,
  createdAt: 0,
  expiresAt: 1_000,
  isRetryAllowed: false,
  answer: { id: '7', bytes: 3, sealed: new Uint8Array(3) },
  ...members,
});
const answerOf = (bytes = 10) => ({ status: 200, headers: [], body: new Uint8Array(bytes) });

test('what was kept is found under its key alone, without its sealed bytes', () => {
  const answered = new AnsweredClaims();
  answered.keep(claimOf(), answerOf());
  expect(answered.find(SCOPE, 0)?.claim.answer).toEqual({ id: '7', bytes: 3 });
  for (const other of ['tenant', 'agent', 'integration', 'key'] as const)
    expect(answered.find({ ...SCOPE, [other]: 'another' }, 0)).toBeUndefined();
});

test('a claim is over at the moment it expires', () => {
  const answered = new AnsweredClaims();
  answered.keep(claimOf(), answerOf());
  expect(answered.find(SCOPE, 999)).toBeDefined();
  expect(answered.find(SCOPE, 1_000)).toBeUndefined();
  expect(answered.find(SCOPE, 999)).toBeUndefined();
});

test.each(['dispatching', 'unknown', 'failed_final', 'failed_not_sent', 'reserved'] as const)(
  'a claim that is %s is not kept: it may become another',
  (state) => {
    const answered = new AnsweredClaims();
    answered.keep(claimOf({ state }), answerOf());
    expect(answered.find(SCOPE, 0)).toBeUndefined();
  },
);

test('an answer too long to share the room is not kept', () => {
  const answered = new AnsweredClaims();
  answered.keep(claimOf(), answerOf(300_000));
  expect(answered.find(SCOPE, 0)).toBeUndefined();
});

test('the one that was not asked for the longest makes room', () => {
  const answered = new AnsweredClaims(10_000);
  const keys = ['a', 'b', 'c'];
  for (const key of keys.slice(0, 2)) answered.keep(claimOf({ key }), answerOf(2_000));
  answered.find({ ...SCOPE, key: 'a' }, 0);
  answered.keep(claimOf({ key: 'c' }), answerOf(2_000));
  expect(keys.map((key) => answered.find({ ...SCOPE, key }, 0) !== undefined)).toEqual([true, false, true]);
});

test('keeping one again takes no more room', () => {
  const answered = new AnsweredClaims(10_000);
  answered.keep(claimOf({ key: 'a' }), answerOf(2_000));
  for (let again = 0; again < 10; again += 1) answered.keep(claimOf({ key: 'b' }), answerOf(2_000));
  expect(answered.find({ ...SCOPE, key: 'a' }, 0)).toBeDefined();
});
