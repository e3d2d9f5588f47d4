import { integrationSchema } from '@postern/schemas';
import { type RawBuilder, sql } from 'kysely';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';

/** How much a store holds. */
export interface StoreSize {
  readonly agents: number;
  readonly integrations: number;
  readonly entries: number;
}

export const TENANT = 'default';
/** Of the first entry; one every millisecond. */
export const FIRST_AT = 1_700_000_000_000;
/** One agent makes so many entries, spread over the log, whatever its size. */
export const RARE_ENTRIES = 20;
/** So many claims are unknown, approvals pending and grants usable, and so many claims a rare integration has, whatever the size of the store. */
export const RARE_ROWS = 10;

/** Rows of one statement: a statement takes no longer than a server allows. */
const ROWS_AT_ONCE = 20_000;

/** Of numbers from `first` up to `last`, exclusive. Everything is made by the engine itself. */
type Insert = (first: number, last: number) => RawBuilder<unknown>;

/** Fills an empty, migrated store: agents with a key each, claims, approvals and grants of them, integrations, tenants, and one log. */
export async function fillStore(dbClient: DbClient, size: StoreSize): Promise<void> {
  const { agents, integrations, entries } = size;
  await run(dbClient, sql`insert into tenants (name, created_at, revision) values (${TENANT}, 0, 0)`);
  await run(dbClient, sql`insert into audit_logs (log, tenant) values (1, ${TENANT})`);
  await insertMany(dbClient, Math.max(10, agents / 100), tenantRows);
  await insertMany(dbClient, agents, agentRows(dbClient));
  await insertMany(dbClient, agents, keyRows(dbClient));
  await insertMany(dbClient, agents, claimRows(agents));
  await insertMany(dbClient, agents, approvalRows(dbClient, agents));
  await insertMany(dbClient, agents, grantRows(agents));
  await insertMany(dbClient, integrations, integrationRows(dbClient));
  await insertMany(dbClient, entries, entryRows(size));
}

async function insertMany(dbClient: DbClient, count: number, insert: Insert): Promise<void> {
  for (let first = 0; first < count; first += ROWS_AT_ONCE) {
    await run(dbClient, insert(first, Math.min(first + ROWS_AT_ONCE, count)));
  }
}

async function run(dbClient: DbClient, statement: RawBuilder<unknown>): Promise<void> {
  await statement.execute(dbClient.writes(INSTANCE_SCOPE));
}

/** `n.i` is each of the numbers. */
function numbers(first: number, last: number): RawBuilder<unknown> {
  const [from, to] = [sql.lit(first), sql.lit(last)];
  return sql`with recursive n (i) as (select ${from} union all select i + 1 from n where i + 1 < ${to})`;
}

/** Eight digits, so that names are in the order of their numbers. */
function digits(number: string): string {
  return `substr(cast(100000000 + ${number} as text), 2)`;
}

const nameOf = (prefix: string, number: string) => sql.raw(`'${prefix}-' || ${digits(number)}`);
const AGENT = nameOf('agent', 'i');

const tenantRows: Insert = (first, last) => sql`
  insert into tenants (name, created_at, revision) ${numbers(first, last)}
  select ${nameOf('tenant', 'i')}, 0, 0 from n`;

const agentRows = ({ capabilities }: DbClient): Insert => {
  const roles = sql.raw(`cast('["developer"]' as ${capabilities.jsonType})`);
  return (first, last) => sql`
    insert into agents (tenant, id, name, roles, trust, disabled, origin, version, created_at, updated_at) ${numbers(first, last)}
    select ${sql.lit(TENANT)}, ${nameOf('id', 'i')}, ${AGENT}, ${roles}, 'low', 0, 'api', 1, i, i from n`;
};

const keyRows = ({ capabilities }: DbClient): Insert => {
  const scopes = sql.raw(`cast('["call"]' as ${capabilities.jsonType})`);
  return (first, last) => sql`
    insert into agent_keys (id, tenant, agent_id, digest, digest_key_id, scopes, created_at, origin) ${numbers(first, last)}
    select ${nameOf('key', 'i')}, ${sql.lit(TENANT)}, ${nameOf('id', 'i')}, 'd', 'k', ${scopes}, i, 'api' from n`;
};

/** Most are done, some are unknown. Half of them are of one integration, the others of many. */
const claimRows =
  (agents: number): Insert =>
  (first, last) =>
    sql`
    insert into claims (tenant, agent, integration, key, fingerprint, state, fence, request_id, retry_allowed, created_at, expires_at)
    ${numbers(first, last)}
    select ${sql.lit(TENANT)}, ${nameOf('agent', `(i * 7919) % ${agents}`)}, ${nameOf('integration', claimIntegration(agents))}, cast(i as text), 'f',
      case when ${isRare(agents)} then 'unknown' else 'failed_not_sent' end, 1, cast(i as text), 0, i, 4000000000000 from n`;

/** The number of the integration of a claim: 0 for every other one. */
export const claimIntegrationNumber = (claim: number, agents: number) =>
  (claim % 2) * (1 + (Math.floor(claim / 2) % rareIntegrations(agents)));
const claimIntegration = (agents: number) => `(i % 2) * (1 + (i / 2) % ${rareIntegrations(agents)})`;
const rareIntegrations = (agents: number) => Math.floor(agents / (2 * RARE_ROWS));

const isRare = (agents: number) => sql.raw(`i % ${Math.floor(agents / RARE_ROWS)} = 7`);

/** Most are over, some are pending. */
const approvalRows = ({ capabilities }: DbClient, agents: number): Insert => {
  const json = (text: string) => sql.raw(`cast('${text}' as ${capabilities.jsonType})`);
  const terms = json('{"approvers":1,"groups":[],"pendingSeconds":60,"executeSeconds":60,"grant":"once"}');
  return (first, last) => sql`
    insert into approvals (tenant, id, agent, integration, method, url, fingerprint, request_id, summary, descriptor, terms, status, votes,
      created_at, expires_at) ${numbers(first, last)}
    select ${sql.lit(TENANT)}, ${nameOf('id', 'i')}, ${AGENT}, 'github', 'POST', 'https://api.github.com/', cast(i as text),
      cast(i as text), 'POST /', '{}', ${terms}, case when ${isRare(agents)} then 'pending' else 'cancelled' end, ${json('[]')}, i,
      4000000000000 from n`;
};

/** Most have expired. */
const grantRows =
  (agents: number): Insert =>
  (first, last) =>
    sql`
  insert into grants (tenant, id, approval_id, agent, kind, fingerprint, integration, method, expires_at, created_at, granted_by)
  ${numbers(first, last)}
  select ${sql.lit(TENANT)}, ${nameOf('id', 'i')}, ${nameOf('id', 'i')}, ${AGENT}, 'until', cast(i as text), 'github', 'POST',
    case when ${isRare(agents)} then 4000000000000 else i + 1 end, i, 'alice' from n`;

const integrationRows = ({ capabilities }: DbClient): Insert => {
  const spec = integrationSchema.parse({
    name: 'NAME',
    baseUrl: 'https://api.github.com',
    credential: { type: 'none' },
    actions: [{ name: 'issues.list', methods: ['GET'], paths: ['/repos/*/*/issues'], risk: 'low' }],
  });
  const [before, after] = JSON.stringify(spec).split('NAME') as [string, string];
  const name = `'integration-' || ${digits('i')}`;
  const made = sql.raw(`cast('${before}' || ${name} || '${after}' as ${capabilities.jsonType})`);
  return (first, last) => sql`
    insert into integrations (tenant, id, name, spec, origin, version, created_at, updated_at) ${numbers(first, last)}
    select ${sql.lit(TENANT)}, ${nameOf('id', 'i')}, ${nameOf('integration', 'i')}, ${made}, 'api', 1, i, i from n`;
};

/** Pairs of intent and outcome; their agents and integrations are spread evenly, and without order. */
const entryRows = ({ agents, integrations, entries }: StoreSize): Insert => {
  const pair = '(i / 2)';
  const random = `((${pair} * 2654435761) % 4294967296)`;
  const every = Math.floor(entries / RARE_ENTRIES);
  const agent = `case when i % ${every} = ${every / 2} then 'agent-rare' else 'agent-' || ${digits(`(${random} / 4096) % ${agents}`)} end`;
  const integration = `'integration-' || ${digits(`(${random} / 64) % ${integrations}`)}`;
  const type = `case when i % ${every} = ${every / 2 + 1} then 'policy.activated' when i % 2 = 0 then 'intent' else 'outcome' end`;
  const members = {
    action: `'issues.list'`,
    addresses: undefined,
    agent,
    at: undefined,
    decision: `case when ${random} % 50 = 0 then 'deny' else 'allow' end`,
    fingerprint: `'${'ab'.repeat(32)}'`,
    id: `'${'0'.repeat(8)}-0000-7000-8000-' || substr(cast(1000000000000 + i as text), 2)`,
    integration,
    kind: `'http'`,
    method: `'GET'`,
    node: `'node-1'`,
    policyVersion: `'${'cd'.repeat(32)}'`,
    requestId: `'0198' || substr(${digits(pair)}, 1, 4) || '-' || substr(${digits(pair)}, 5, 4) || '-7000-8000-000000000000'`,
    rule: `'engineering-reads'`,
    tenant: `'${TENANT}'`,
    type,
    url: `'https://api.github.com/repos/acme/site/issues'`,
  };
  const texts = Object.entries(members).flatMap(([name, value]) =>
    value === undefined ? [] : [`'"${name}":"' || (${value}) || '",'`],
  );
  const entry = `'{"v":1,"seq":' || cast(i as text) || ',"at":' || cast(${FIRST_AT} + i as text) || ',' || ${texts.join(' || ')} || '"attempt":1}'`;
  return (first, last) => sql`
    insert into audit_entries (log, seq, request_key, entry) ${numbers(first, last)}
    select 1, i, ${sql.raw(requestKeyOf(pair))}, ${sql.raw(entry)} from n`;
};

/** As `request-key.ts` makes it: the first twelve digits of the request's id, read as hexadecimal. */
function requestKeyOf(pair: string): string {
  const hexadecimal = Array.from({ length: 8 }, (_, digit) => `(${pair} / ${10 ** digit}) % 10 * ${16 ** digit}`);
  return `${0x019800000000} + ${hexadecimal.join(' + ')}`;
}
