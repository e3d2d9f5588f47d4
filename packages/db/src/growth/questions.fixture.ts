import { encodeCursor, timePosition } from '../page.ts';
import type { AuditQuery } from '../ports/audit.ts';
import type { DbRepositories } from '../ports/repositories.ts';
import { claimIntegrationNumber, FIRST_AT, type StoreSize, TENANT } from './fill-store.fixture.ts';

/** A filled store. */
export interface FilledStore {
  readonly repositories: DbRepositories;
  readonly size: StoreSize;
}

/** Something that is asked of a store. `turn` goes up from 0: each time about something else. */
export interface Question {
  readonly name: string;
  ask(store: FilledStore, turn: number): Promise<unknown>;
}

const NOW = 2_000_000_000_000;
const LIMIT = 50;

/** What people and the gateway look up, list and search. */
export const QUESTIONS: readonly Question[] = [
  ...agentQuestions(),
  ...integrationQuestions(),
  ...auditQuestions(),
  ...claimQuestions(),
  ...approvalQuestions(),
];

/** One of `count`, far from the one of the turn before. */
function pick(turn: number, count: number): number {
  return ((turn + 1) * 7_919) % count;
}

const named = (prefix: string, number: number) => `${prefix}-${String(number).padStart(8, '0')}`;
const anAgent = ({ size }: FilledStore, turn: number) => named('agent', pick(turn, size.agents));
const anId = (count: number, turn: number) => named('id', pick(turn, count));

function agentQuestions(): readonly Question[] {
  const middle = ({ size }: FilledStore) => encodeCursor('agents', named('agent', size.agents / 2));
  return [
    {
      name: 'agent by id',
      ask: ({ repositories: { agents }, size }, turn) => agents.getById(TENANT, anId(size.agents, turn)),
    },
    { name: 'agent by name', ask: (store, turn) => store.repositories.agents.getByName(TENANT, anAgent(store, turn)) },
    {
      name: 'agent by key',
      ask: ({ repositories: { agents }, size }, turn) => agents.findKey(named('key', pick(turn, size.agents))),
    },
    {
      name: 'agents, first page',
      ask: ({ repositories: { agents } }) => agents.listByTenant(TENANT, { limit: LIMIT }),
    },
    {
      name: 'agents, page in the middle',
      ask: (store) => store.repositories.agents.listByTenant(TENANT, { limit: LIMIT, cursor: middle(store) }),
    },
    {
      name: 'keys of an agent',
      ask: ({ repositories: { agents }, size }, turn) => agents.listKeys(TENANT, anId(size.agents, turn)),
    },
    { name: 'tenants, first page', ask: ({ repositories: { tenants } }) => tenants.list({ limit: 10 }) },
  ];
}

function integrationQuestions(): readonly Question[] {
  const middle = ({ size }: FilledStore) =>
    encodeCursor('integrations', named('integration', Math.floor(size.integrations / 2) - 6));
  return [
    {
      name: 'integration by name',
      ask: ({ repositories: { integrations }, size }, turn) =>
        integrations.getByName(TENANT, named('integration', pick(turn, size.integrations))),
    },
    {
      name: 'integration by id',
      ask: ({ repositories: { integrations }, size }, turn) =>
        integrations.getById(TENANT, anId(size.integrations, turn)),
    },
    {
      name: 'integrations, first page',
      ask: ({ repositories: { integrations } }) => integrations.listByTenant(TENANT, { limit: 10 }),
    },
    {
      name: 'integrations, page in the middle',
      ask: (store) => store.repositories.integrations.listByTenant(TENANT, { limit: 10, cursor: middle(store) }),
    },
    {
      name: 'integrations with an address of their own',
      ask: ({ repositories: { integrations } }) => integrations.listListening(),
    },
    { name: 'changes of the directory', ask: ({ repositories: { directory } }) => directory.changesSince(0) },
  ];
}

function auditQuestions(): readonly Question[] {
  const query = (name: string, make: (store: FilledStore, turn: number) => Partial<AuditQuery>): Question => ({
    name: `audit, ${name}`,
    ask: (store, turn) => store.repositories.audit.query(TENANT, { limit: LIMIT, ...make(store, turn) }),
  });
  const from = (seq: number) => encodeCursor('audit_entries', seq);
  const middle = ({ size }: FilledStore, turn: number) =>
    Math.floor(size.entries / 2) + pick(turn, Math.floor(size.entries / 10));
  const pair = (number: number) => String(number).padStart(8, '0');
  return [
    query('newest', () => ({})),
    {
      name: 'audit, by id',
      ask: ({ repositories: { audit }, size }, turn) => {
        const place = pick(turn, size.entries).toString(16).padStart(12, '0');
        return audit.getById(TENANT, `00000000-0000-7000-8000-${place}`);
      },
    },
    query('by request', ({ size }, turn) => {
      const digits = pair(pick(turn, size.entries / 2));
      return { requestId: `0198${digits.slice(0, 4)}-${digits.slice(4)}-7000-8000-000000000000` };
    }),
    query('by agent', (store, turn) => ({ agent: anAgent(store, turn) })),
    query('by rare agent', () => ({ agent: 'agent-rare' })),
    query('by agent that is not there', () => ({ agent: 'agent-nobody' })),
    query('by integration', ({ size }, turn) => ({ integration: named('integration', pick(turn, size.integrations)) })),
    query('by frequent type', () => ({ type: 'outcome' })),
    query('by rare type', () => ({ type: 'policy.activated' })),
    query('by decision', () => ({ decision: 'deny' })),
    query('by agent and type', (store, turn) => ({ agent: anAgent(store, turn), type: 'outcome' })),
    query('by time, in the middle', (store, turn) => {
      const at = FIRST_AT + middle(store, turn);
      return { from: at, to: at + 2_000 };
    }),
    query('up to a time in the middle', (store, turn) => ({ to: FIRST_AT + middle(store, turn) })),
    query('by agent and time', (store, turn) => ({ agent: anAgent(store, turn), to: FIRST_AT + middle(store, turn) })),
    query('deep page', (store, turn) => ({ cursor: from(middle(store, turn)) })),
    query('deep page by type', (store, turn) => ({ type: 'outcome', cursor: from(middle(store, turn)) })),
    query('deep page by agent', (store, turn) => ({ agent: anAgent(store, turn), cursor: from(middle(store, turn)) })),
    query('as a simulation reads the newest calls', () => ({ to: NOW, limit: 250 })),
    { name: 'audit, size', ask: ({ repositories: { audit } }) => audit.size(TENANT) },
    { name: 'audit, nothing to summarise', ask: ({ repositories: { audit } }) => audit.summarise(10) },
  ];
}

function claimQuestions(): readonly Question[] {
  const page = { limit: LIMIT, nowMs: NOW };
  const list = (
    name: string,
    make: (store: FilledStore, turn: number) => Parameters<DbRepositories['claims']['list']>[1],
  ): Question => ({
    name: `claims, ${name}`,
    ask: (store, turn) => store.repositories.claims.list(TENANT, make(store, turn), page),
  });
  return [
    {
      name: 'claim by key',
      ask: (store, turn) => {
        const number = pick(turn, store.size.agents);
        const agent = named('agent', (number * 7_919) % store.size.agents);
        const scope = {
          tenant: TENANT,
          agent,
          integration: named('integration', claimIntegrationNumber(number, store.size.agents)),
          key: String(number),
        };
        return store.repositories.claims.find(scope, NOW);
      },
    },
    list('newest', () => ({})),
    list('by state', () => ({ state: 'unknown' })),
    list('by agent', (store, turn) => ({ agent: anAgent(store, turn) })),
    list('by integration', () => ({ integration: named('integration', 0) })),
    list('by rare integration', () => ({ integration: named('integration', 3) })),
    list('of an integration that has none', () => ({ integration: 'nothing' })),
  ];
}

function approvalQuestions(): readonly Question[] {
  const page = { limit: LIMIT, nowMs: NOW };
  const middle = ({ size }: FilledStore) => {
    const half = Math.floor(size.agents / 2) + 50;
    return { cursor: encodeCursor('approvals', timePosition({ created_at: half, id: named('id', half) })) };
  };
  return [
    {
      name: 'approval by id',
      ask: ({ repositories: { approvals }, size }, turn) => approvals.getById(TENANT, anId(size.agents, turn), NOW),
    },
    { name: 'approvals, newest', ask: ({ repositories: { approvals } }) => approvals.list(TENANT, {}, page) },
    {
      name: 'approvals, page in the middle',
      ask: (store) => store.repositories.approvals.list(TENANT, {}, { ...page, ...middle(store) }),
    },
    {
      name: 'approvals, by status',
      ask: ({ repositories: { approvals } }) => approvals.list(TENANT, { status: 'cancelled' }, page),
    },
    {
      name: 'approvals, by agent',
      ask: (store, turn) => store.repositories.approvals.list(TENANT, { agent: anAgent(store, turn) }, page),
    },
    {
      name: 'approvals, by agent and status',
      ask: (store, turn) =>
        store.repositories.approvals.list(TENANT, { agent: anAgent(store, turn), status: 'cancelled' }, page),
    },
    {
      name: 'grant by id',
      ask: ({ repositories: { grants }, size }, turn) => grants.getById(TENANT, anId(size.agents, turn), NOW),
    },
    { name: 'grants, newest', ask: ({ repositories: { grants } }) => grants.list(TENANT, {}, page) },
    {
      name: 'grants, by agent',
      ask: (store, turn) => store.repositories.grants.list(TENANT, { agent: anAgent(store, turn) }, page),
    },
    { name: 'grants, usable', ask: ({ repositories: { grants } }) => grants.list(TENANT, { isUsable: true }, page) },
  ];
}
