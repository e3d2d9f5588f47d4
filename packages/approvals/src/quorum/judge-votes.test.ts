import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { judgeVoter, judgeVotes, type Vote } from './judge-votes.ts';

const yes = (by: string, ...groups: string[]): Vote => ({ by, groups });
const no = (by: string, ...groups: string[]): Vote => ({ by, groups, verdict: 'deny' });
const anybody = (approvers: number) => ({ approvers, groups: [] });
const of = (approvers: number, ...groups: string[]) => ({ approvers, groups });
const outcomeOf = (terms: { approvers: number; groups: string[] }, votes: Vote[], owner?: string) =>
  judgeVotes(terms, votes, { owner }).outcome;

describe('a quorum without groups', () => {
  test('is as many distinct people as asked for', () => {
    expect(outcomeOf(anybody(1), [])).toBe('pending');
    expect(outcomeOf(anybody(1), [yes('ann')])).toBe('approved');
    expect(outcomeOf(anybody(2), [yes('ann')])).toBe('pending');
    expect(outcomeOf(anybody(2), [yes('ann'), yes('bob')])).toBe('approved');
  });

  test('counts one person once, however often and in whatever spelling they vote', () => {
    expect(outcomeOf(anybody(2), [yes('ann'), yes('ann'), yes('ANN'), yes(' ann ')])).toBe('pending');
    expect(judgeVotes(anybody(1), [yes('Ann'), yes('ann')], {})).toEqual({ outcome: 'approved', by: ['Ann'] });
  });

  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
    'of %d people is refused, for it would approve by itself or never',
    (approvers) => {
      expect(() => judgeVotes(anybody(approvers), [], {})).toThrow(TypeError);
    },
  );
});

describe('a quorum of groups', () => {
  test('is that many people of each', () => {
    expect(outcomeOf(of(1, 'security', 'legal'), [yes('ann', 'security')])).toBe('pending');
    expect(outcomeOf(of(1, 'security', 'legal'), [yes('ann', 'security'), yes('bob', 'legal')])).toBe('approved');
    expect(outcomeOf(of(2, 'security', 'legal'), [yes('a', 'security'), yes('b', 'security'), yes('c', 'legal')])).toBe(
      'pending',
    );
    expect(outcomeOf(of(2, 'security'), [yes('a', 'security'), yes('b', 'security')])).toBe('approved');
  });

  test('is not met by one person who is in both', () => {
    expect(outcomeOf(of(1, 'security', 'legal'), [yes('ann', 'security', 'legal')])).toBe('pending');
    expect(outcomeOf(of(1, 'security', 'legal'), [yes('ann', 'security', 'legal'), yes('bob', 'legal')])).toBe(
      'approved',
    );
    expect(outcomeOf(of(1, 'security', 'legal'), [yes('ann', 'security', 'legal'), yes('bob', 'security')])).toBe(
      'approved',
    );
  });

  test('seats people where they serve best, in whatever order they came', () => {
    const votes = [yes('a', 'x', 'y'), yes('b', 'x', 'z'), yes('c', 'x')];
    expect(outcomeOf(of(1, 'x', 'y', 'z'), votes)).toBe('approved');
    expect(outcomeOf(of(1, 'x', 'y', 'z'), votes.toReversed())).toBe('approved');
  });

  test('does not count people of no group that was asked for', () => {
    expect(outcomeOf(of(1, 'security'), [yes('ann'), yes('bob', 'sales')])).toBe('pending');
  });

  test('says what is missing, and of whom', () => {
    expect(judgeVotes(of(2, 'legal', 'security'), [yes('a', 'security')], {})).toEqual({
      outcome: 'pending',
      missing: [
        { groups: ['legal'], count: 2 },
        { groups: ['security'], count: 1 },
      ],
      words: '2 more people of legal and 1 more person of security must approve',
    });
    expect(judgeVotes(of(1, 'legal', 'security'), [yes('a', 'security', 'legal')], {})).toMatchObject({
      words: '1 more person of security or legal must approve',
    });
    expect(judgeVotes(anybody(3), [yes('a')], {})).toMatchObject({ words: '2 more people must approve' });
  });

  test('shows no hidden characters of a group’s name', () => {
    expect(judgeVotes(of(1, 'a\u202eb'), [], {})).toMatchObject({ words: '1 more person of a\\u{202e}b must approve' });
  });
});

describe('a no', () => {
  test('ends it, whoever says it and however many said yes', () => {
    expect(judgeVotes(anybody(1), [yes('ann'), no('bob')], {})).toEqual({ outcome: 'denied', by: 'bob' });
    expect(outcomeOf(of(1, 'security'), [yes('ann', 'security'), no('bob', 'sales')])).toBe('denied');
    expect(outcomeOf(anybody(1), [no('alice')], 'alice')).toBe('denied');
    expect(outcomeOf(anybody(1), [yes('ann'), no('ann'), yes('ann')])).toBe('denied');
  });

  test('is what every other word is too', () => {
    expect(outcomeOf(anybody(1), [{ ...yes('ann'), verdict: 'maybe' as 'deny' }])).toBe('denied');
  });
});

describe('the agent’s owner', () => {
  test('cannot approve, in whatever spelling', () => {
    expect(outcomeOf(anybody(1), [yes('alice')], 'alice')).toBe('pending');
    expect(outcomeOf(anybody(1), [yes('Alice')], 'alice')).toBe('pending');
    expect(outcomeOf(anybody(1), [yes('ａｌｉｃｅ')], 'alice')).toBe('pending');
    expect(outcomeOf(of(1, 'security'), [yes('alice', 'security')], 'alice')).toBe('pending');
    expect(outcomeOf(anybody(1), [yes('alice'), yes('bob')], 'alice')).toBe('approved');
  });

  test('is nobody when the agent has none', () => {
    expect(outcomeOf(anybody(1), [yes('alice')])).toBe('approved');
  });
});

describe('judgeVoter', () => {
  test('tells a person beforehand why their yes would not count', () => {
    const owner = { owner: 'alice' };
    expect(judgeVoter(anybody(1), [], { by: 'Alice', groups: [] }, owner)).toBe('own_call');
    expect(judgeVoter(of(1, 'security'), [], { by: 'bob', groups: ['sales'] }, owner)).toBe('not_in_group');
    expect(judgeVoter(anybody(2), [yes('bob')], { by: 'BOB', groups: [] }, owner)).toBe('voted_already');
    expect(judgeVoter(of(1, 'security'), [yes('ann')], { by: 'bob', groups: ['security'] }, owner)).toBeUndefined();
  });

  test('and judgeVotes agree: the yes of whoever may vote brings it nearer, or is one too many for its group', () => {
    const groups = fc.subarray(['x', 'y', 'z']);
    const names = fc.constantFrom('a', 'b', 'c', 'd');
    const people = fc.uniqueArray(fc.record({ by: names, groups }), { selector: ({ by }) => by });
    const voter = fc.record({ by: fc.constantFrom('e', 'a', 'owner'), groups });
    fc.assert(
      fc.property(people, groups, fc.integer({ min: 1, max: 3 }), voter, (voters, asked, approvers, person) => {
        const terms = { approvers, groups: asked };
        const votes = voters.filter((each) => judgeVoter(terms, [], each, {}) === undefined);
        const before = judgeVotes(terms, votes, { owner: 'owner' });
        const after = judgeVotes(terms, [...votes, person], { owner: 'owner' });
        if (before.outcome !== 'pending') return;
        const fault = judgeVoter(terms, votes, person, { owner: 'owner' });
        const helps = before.missing.some(
          (seats) => seats.groups.length === 0 || seats.groups.some((group) => person.groups.includes(group)),
        );
        const isNearer = seatsMissing(after) < seatsMissing(before);
        expect(isNearer).toBe(helps && fault === undefined);
      }),
      { numRuns: 500 },
    );
  });
});

const seatsMissing = (verdict: ReturnType<typeof judgeVotes>) =>
  verdict.outcome === 'pending' ? verdict.missing.reduce((sum, { count }) => sum + count, 0) : 0;

/** Tries every way to seat people: the definition itself, slow and plain. */
function canBeSeated(seats: readonly string[], people: readonly (readonly string[])[]): boolean {
  const [group, ...others] = seats;
  if (group === undefined) return true;
  return people.some((groups, index) => groups.includes(group) && canBeSeated(others, people.toSpliced(index, 1)));
}

test('a quorum of groups is met exactly when each seat can be given to a person of its own', () => {
  const groups = fc.subarray(['x', 'y', 'z']);
  const votes = fc.uniqueArray(fc.record({ by: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f'), groups }), {
    selector: ({ by }) => by,
  });
  fc.assert(
    fc.property(
      votes,
      fc.subarray(['x', 'y', 'z'], { minLength: 1 }),
      fc.integer({ min: 1, max: 2 }),
      (people, asked, approvers) => {
        const seats = asked.flatMap((group) => Array.from({ length: approvers }, () => group));
        const isMet = canBeSeated(
          seats,
          people.map((person) => person.groups),
        );
        expect(judgeVotes({ approvers, groups: asked }, people, {}).outcome).toBe(isMet ? 'approved' : 'pending');
      },
    ),
    { numRuns: 500 },
  );
});
