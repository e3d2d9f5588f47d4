import type { ApprovalTerms, ApprovalVote } from '@postern/db/ports';
import { visibleText } from '../rendering/visible-text.ts';
import { personKey } from './person.ts';
import { type MissingSeats, type SeatedPerson, seatPeople } from './seat-people.ts';

/** How many must agree: `approvers` (at least 1) of each of `groups`, or of all when there are none. */
export type QuorumTerms = Pick<ApprovalTerms, 'approvers' | 'groups'>;

/** One person's word, in the order given; the votes that are stored with an approval are such. */
export interface Vote extends Pick<ApprovalVote, 'by' | 'groups'> {
  /** Default `approve`: stored votes are. Whatever else it says is a no. */
  readonly verdict?: 'approve' | 'deny';
}

export interface CallOwner {
  /** The `owner` of the agent whose call it is. Absent: nobody is banned. */
  readonly owner?: string | undefined;
}

export type QuorumVerdict =
  | { readonly outcome: 'approved'; readonly by: readonly string[] }
  | { readonly outcome: 'denied'; readonly by: string }
  | { readonly outcome: 'pending'; readonly missing: readonly MissingSeats[]; readonly words: string };

/** Why a person's approval would count for nothing. */
export type VoterFault = 'own_call' | 'not_in_group' | 'voted_already';

/**
 * What the votes come to. Any `deny` ends it, whoever gives it. Otherwise, without groups `approvers` distinct people must approve, with
 * groups that many of each; a person counts once however often they vote, as they first did, and once overall: somebody in two groups stands for one of
 * them, so one person alone never meets what was asked of two. The agent's owner is not counted.
 *
 * `missing`: seats still open, each with the groups of which one more person would help; `groups` empty: anybody. `words` says the same.
 *
 * @throws TypeError when the terms ask for no whole number of people from 1: that would approve by itself
 */
export function judgeVotes(terms: QuorumTerms, votes: readonly Vote[], { owner }: CallOwner): QuorumVerdict {
  if (!Number.isSafeInteger(terms.approvers) || terms.approvers < 1) {
    throw new TypeError('A quorum must ask for a whole number of people, at least 1.');
  }
  const refusal = votes.find(({ verdict = 'approve' }) => verdict !== 'approve');
  if (refusal !== undefined) return { outcome: 'denied', by: refusal.by };
  const groups = [...new Set(terms.groups)];
  const people = countedPeople(groups, votes, owner);
  const missing = missingSeats(terms.approvers, groups, people);
  if (missing.length === 0) return { outcome: 'approved', by: people.map(({ person }) => person) };
  return { outcome: 'pending', missing, words: wordsFor(missing) };
}

/** Why this person may not approve, to be said to them before their vote is stored; undefined when they may. */
export function judgeVoter(
  terms: QuorumTerms,
  votes: readonly Vote[],
  voter: Omit<Vote, 'verdict'>,
  { owner }: CallOwner,
): VoterFault | undefined {
  const key = personKey(voter.by);
  if (owner !== undefined && key === personKey(owner)) return 'own_call';
  if (terms.groups.length > 0 && !voter.groups.some((group) => terms.groups.includes(group))) return 'not_in_group';
  return votes.some(({ by }) => personKey(by) === key) ? 'voted_already' : undefined;
}

function countedPeople(groups: readonly string[], votes: readonly Vote[], owner: string | undefined): SeatedPerson[] {
  const banned = owner === undefined ? undefined : personKey(owner);
  const people = new Map<string, SeatedPerson>();
  for (const { by, groups: memberships } of votes) {
    const key = personKey(by);
    const asked = groups.filter((group) => memberships.includes(group));
    if (key === '' || key === banned || people.has(key)) continue;
    if (groups.length === 0 || asked.length > 0) people.set(key, { person: by, groups: asked });
  }
  return [...people.values()];
}

function missingSeats(
  approvers: number,
  groups: readonly string[],
  people: readonly SeatedPerson[],
): readonly MissingSeats[] {
  if (groups.length > 0) return seatPeople(people, groups, approvers);
  const count = approvers - people.length;
  return count > 0 ? [{ groups: [], count }] : [];
}

function wordsFor(missing: readonly MissingSeats[]): string {
  const parts = missing.map(({ groups, count }) => {
    const people = count === 1 ? '1 more person' : `${count} more people`;
    return groups.length === 0 ? people : `${people} of ${groups.map(visibleText).join(' or ')}`;
  });
  return `${parts.join(' and ')} must approve`;
}
