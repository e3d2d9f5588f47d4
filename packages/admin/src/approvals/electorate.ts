import { judgeVoter, judgeVotes, type QuorumVerdict, visibleText } from '@postern/approvals';
import type {
  AdminRecord,
  AgentRecord,
  ApprovalSummary,
  ApprovalVote,
  DbContext,
  DbRepositories,
} from '@postern/db/ports';
import { Rejection } from '@postern/schemas';
import { type Actor, BOOTSTRAP_NAME } from '../actor.ts';

/** Who may have a say in an approval, as it is now: the agent's owner, and which of those who voted are still administrators. */
export interface Electorate {
  /** Absent as well when the agent is gone. */
  readonly owner: string | undefined;
  readonly hasAgent: boolean;
  /** Votes that count. */
  readonly votes: readonly ApprovalVote[];
}

type ElectoratePorts = Pick<DbRepositories, 'admins' | 'agents'>;

/** Reads electorates of one moment, each agent and person once. */
export function createElectorates({ admins, agents }: ElectoratePorts, context: DbContext = {}) {
  const callers = new Map<string, Promise<AgentRecord | undefined>>();
  const people = new Map<string, Promise<boolean>>();

  const isInForce = (name: string) =>
    remembered(people, name, async () => {
      if (name === BOOTSTRAP_NAME) return true;
      const admin = await admins.getByName(name, context);
      return admin !== undefined && admin.revokedAt === undefined;
    });

  return async ({ tenant, agent, votes }: Pick<ApprovalSummary, 'tenant' | 'agent' | 'votes'>): Promise<Electorate> => {
    const caller = await remembered(callers, agent, () => agents.getByName(tenant, agent, context));
    const counting: ApprovalVote[] = [];
    for (const vote of votes) if (await isInForce(vote.by)) counting.push(vote);
    return { owner: caller?.owner, hasAgent: caller !== undefined, votes: counting };
  };
}

function remembered<T>(memory: Map<string, Promise<T>>, key: string, read: () => Promise<T>): Promise<T> {
  const found = memory.get(key) ?? read();
  memory.set(key, found);
  return found;
}

/** What the votes that count come to. */
export function verdictOf({ terms }: Pick<ApprovalSummary, 'terms'>, electorate: Electorate): QuorumVerdict {
  return judgeVotes(terms, electorate.votes, { owner: electorate.owner });
}

/** The groups of whoever decides, read at the time of the decision: a token may have been revoked since the request began. */
export async function readDecider(
  { admins }: Pick<DbRepositories, 'admins'>,
  { name }: Actor,
  context: DbContext,
): Promise<Pick<AdminRecord, 'name' | 'groups'>> {
  if (name === BOOTSTRAP_NAME) return { name, groups: [] };
  const admin = await admins.getByName(name, context);
  if (admin !== undefined && admin.revokedAt === undefined) return admin;
  throw new Rejection('unauthenticated', 'The admin token is not valid.');
}

/** Refuses whose approval would count for nothing: 403 `forbidden`, 409 `conflict` for who has approved before. */
export function checkVoter(
  approval: ApprovalSummary,
  { name, groups }: Pick<AdminRecord, 'name' | 'groups'>,
  electorate: Electorate,
): void {
  const { terms, votes, agent } = approval;
  const fault = judgeVoter(terms, votes, { by: name, groups }, { owner: electorate.owner });
  switch (fault) {
    case undefined:
      return;
    case 'own_call':
      throw new Rejection(
        'forbidden',
        `You own the agent ${visibleText(agent)}: somebody else must approve its calls.`,
      );
    case 'not_in_group':
      throw new Rejection('forbidden', `Only members of ${listed(terms.groups)} may approve this, and you are none.`);
    case 'voted_already': {
      const verdict = verdictOf(approval, electorate);
      const missing = verdict.outcome === 'pending' ? `: ${verdict.words}` : '';
      throw new Rejection('conflict', `You have approved this already${missing}.`);
    }
  }
}

function listed(groups: readonly string[]): string {
  return groups.map(visibleText).join(' or ');
}
