import { APPROVAL_STATUSES, CLAIM_STATES } from '@postern/db/ports';
import { describe, expect, test } from 'vitest';
import { APPROVAL_FINAL_STATES, APPROVAL_TRANSITIONS, mayTransition, statusAt } from './approval-states.ts';
import { CLAIM_FINAL_STATES, CLAIM_RESOLUTIONS, CLAIM_TRANSITIONS, mayClaimTransition } from './claim-states.ts';
import { denialHolds, deniedUntil } from './denial-memory.ts';

const pairsOf = <S extends string>(states: readonly S[]) =>
  states.flatMap((from) => states.map((to) => [from, to] as const));

describe('the states of an approval', () => {
  test('are those of the store', () => {
    expect(Object.keys(APPROVAL_TRANSITIONS).sort()).toEqual([...APPROVAL_STATUSES].sort());
  });

  test('lead from one to the other as specified, and in no other way', () => {
    const allowed = pairsOf(APPROVAL_STATUSES).filter(([from, to]) => mayTransition(from, to));
    expect(allowed.map((pair) => pair.join(' → '))).toEqual([
      'pending → approved',
      'pending → denied',
      'pending → expired',
      'pending → cancelled',
      'approved → pending',
      'approved → expired',
      'approved → executing',
      'executing → approved',
      'executing → executed',
      'executing → failed',
      'executing → unknown',
    ]);
  });

  test('end where nothing can happen any more', () => {
    expect(APPROVAL_FINAL_STATES).toEqual(['denied', 'expired', 'cancelled', 'executed', 'failed', 'unknown']);
  });

  test('are these and no others', () => {
    expect(mayTransition('toString' as 'pending', 'approved')).toBe(false);
    expect(mayTransition('pending', 'length' as 'approved')).toBe(false);
  });
});

describe('statusAt', () => {
  test.each([
    [{ status: 'pending', expiresAt: 100 }, 99, 'pending'],
    [{ status: 'pending', expiresAt: 100 }, 100, 'expired'],
    [{ status: 'pending', expiresAt: 100, executeUntil: 900 }, 100, 'expired'],
    [{ status: 'approved', expiresAt: 100, executeUntil: 200 }, 199, 'approved'],
    [{ status: 'approved', expiresAt: 100, executeUntil: 200 }, 200, 'expired'],
    [{ status: 'approved', expiresAt: 100 }, 50, 'expired'],
    [{ status: 'pending', expiresAt: Number.NaN }, 0, 'expired'],
    [{ status: 'approved', expiresAt: 100, executeUntil: Number.NaN }, 0, 'expired'],
    [{ status: 'executing', expiresAt: 100, executeUntil: 200 }, 10_000, 'executing'],
    [{ status: 'executed', expiresAt: 100, executeUntil: 200 }, 10_000, 'executed'],
    [{ status: 'denied', expiresAt: 100 }, 10_000, 'denied'],
    [{ status: 'cancelled', expiresAt: 100 }, 10_000, 'cancelled'],
  ] as const)('of %o at %i is %s', (approval, now, status) => {
    expect(statusAt(approval, now)).toBe(status);
  });

  test('only tells what the table of transitions allows', () => {
    for (const status of APPROVAL_STATUSES) {
      const later = statusAt({ status, expiresAt: 1, executeUntil: 1 }, 2);
      expect(later === status || mayTransition(status, later)).toBe(true);
    }
  });
});

describe('the states of a claim', () => {
  test('are those of the store', () => {
    expect(Object.keys(CLAIM_TRANSITIONS).sort()).toEqual([...CLAIM_STATES].sort());
  });

  test('lead from one to the other as specified, and in no other way', () => {
    const allowed = pairsOf(CLAIM_STATES).filter(([from, to]) => mayClaimTransition(from, to));
    expect(allowed.map((pair) => pair.join(' → '))).toEqual([
      'reserved → awaiting_approval',
      'reserved → dispatching',
      'awaiting_approval → dispatching',
      'awaiting_approval → failed_final',
      'dispatching → succeeded',
      'dispatching → failed_not_sent',
      'dispatching → failed_final',
      'dispatching → unknown',
      'failed_not_sent → reserved',
      'failed_not_sent → awaiting_approval',
      'failed_not_sent → dispatching',
      'unknown → dispatching',
      'unknown → succeeded',
      'unknown → failed_not_sent',
    ]);
  });

  test('never go back to reserved once something may have been sent', () => {
    for (const state of ['dispatching', 'unknown', 'succeeded', 'failed_final'] as const) {
      expect(mayClaimTransition(state, 'reserved')).toBe(false);
    }
  });

  test('end with an answer or a refusal for good', () => {
    expect(CLAIM_FINAL_STATES).toEqual(['succeeded', 'failed_final']);
  });

  test('follow an operator’s word by a step that exists', () => {
    for (const state of Object.values(CLAIM_RESOLUTIONS)) {
      expect(state === 'unknown' || mayClaimTransition('unknown', state)).toBe(true);
    }
  });
});

describe('the memory of a denial', () => {
  test('lasts a minute', () => {
    const denial = { deniedUntil: deniedUntil(1_000) };
    expect(denialHolds(denial, 60_999)).toBe(true);
    expect(denialHolds(denial, 61_000)).toBe(false);
  });

  test('lasts longer when the approver asked for it, and never less', () => {
    expect(deniedUntil(1_000, { expiresAt: 500_000 })).toBe(500_000);
    expect(deniedUntil(1_000, { expiresAt: 2_000 })).toBe(61_000);
    expect(() => deniedUntil(1_000, { expiresAt: Number.POSITIVE_INFINITY })).toThrow(TypeError);
  });

  test('is there only for what was denied', () => {
    expect(denialHolds({}, 0)).toBe(false);
    expect(denialHolds({ deniedUntil: Number.NaN }, 0)).toBe(true);
  });
});
