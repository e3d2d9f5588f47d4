import type { EngineCapabilities } from '../client.ts';
import type { Migration } from './migration.ts';

export const initial: Migration = {
  number: 1,
  name: 'initial',
  statements: (capabilities) => [
    ...instanceTables(capabilities),
    ...agentTables(capabilities),
    ...configurationTables(capabilities),
    ...secretTables(capabilities),
    ...auditTables(capabilities),
  ],
};

/** The tenant `*` stands for the whole instance and holds the global rules; no list shows it. */
function instanceTables({ integerType: int, jsonType: json, clusteredTableEnding, tableEnding }: EngineCapabilities) {
  return [
    `create table instance (
      id ${int} not null primary key check (id = 1),
      revision ${int} not null
    ) ${tableEnding}`,
    `insert into instance (id, revision) values (1, 0)`,
    `create table tenants (
      name text not null primary key check (name <> ''),
      created_at ${int} not null,
      revision ${int} not null
    ) ${clusteredTableEnding}`,
    `create index tenants_by_revision on tenants (revision)`,
    `insert into tenants (name, created_at, revision) values ('*', 0, 0)`,
    `create table admins (
      id text not null primary key check (id <> ''),
      name text not null unique check (name <> ''),
      tenant text references tenants (name),
      role text not null check (role in ('owner', 'admin', 'approver', 'auditor', 'operator')),
      groups ${json} not null,
      token_digest text not null unique check (token_digest <> ''),
      token_key_id text not null check (token_key_id <> ''),
      expires_at ${int},
      revoked_at ${int},
      created_at ${int} not null
    ) ${tableEnding}`,
  ];
}

function agentTables({ integerType: int, jsonType: json, tableEnding }: EngineCapabilities) {
  return [
    `create table agents (
      tenant text not null references tenants (name),
      id text not null check (id <> ''),
      name text not null check (name <> ''),
      owner text,
      roles ${json} not null,
      trust text not null check (trust in ('untrusted', 'low', 'medium', 'high', 'admin')),
      environment text,
      addresses ${json},
      disabled ${int} not null check (disabled in (0, 1)),
      origin text not null check (origin in ('config', 'api')),
      version ${int} not null,
      created_at ${int} not null,
      updated_at ${int} not null,
      last_used_at ${int},
      primary key (tenant, id),
      unique (tenant, name)
    ) ${tableEnding}`,
    `create table agent_keys (
      id text not null primary key check (id <> ''),
      tenant text not null,
      agent_id text not null,
      digest text not null check (digest <> ''),
      digest_key_id text not null check (digest_key_id <> ''),
      scopes ${json} not null,
      expires_at ${int},
      revoked_at ${int},
      created_at ${int} not null,
      last_used_at ${int},
      origin text not null check (origin in ('config', 'api')),
      foreign key (tenant, agent_id) references agents (tenant, id) on delete cascade
    ) ${tableEnding}`,
    `create index agent_keys_by_agent on agent_keys (tenant, agent_id)`,
  ];
}

function configurationTables({ integerType: int, jsonType: json, tableEnding }: EngineCapabilities) {
  return [
    `create table integrations (
      tenant text not null references tenants (name),
      id text not null check (id <> ''),
      name text not null check (name <> ''),
      spec ${json} not null,
      origin text not null check (origin in ('config', 'api')),
      version ${int} not null,
      created_at ${int} not null,
      updated_at ${int} not null,
      primary key (tenant, id),
      unique (tenant, name)
    ) ${tableEnding}`,
    `create table policy_rules (
      tenant text not null references tenants (name),
      id text not null check (id <> ''),
      spec ${json} not null,
      origin text not null check (origin in ('config', 'api')),
      version ${int} not null,
      created_at ${int} not null,
      updated_at ${int} not null,
      disabled_at ${int},
      primary key (tenant, id)
    ) ${tableEnding}`,
  ];
}

function secretTables({ integerType: int, jsonType: json, tableEnding }: EngineCapabilities) {
  return [
    `create table secrets (
      tenant text not null references tenants (name),
      id text not null check (id <> ''),
      name text not null check (name <> ''),
      environments ${json},
      active_version ${int} not null check (active_version >= 1),
      origin text not null check (origin in ('config', 'api')),
      created_at ${int} not null,
      updated_at ${int} not null,
      primary key (tenant, name),
      unique (tenant, id)
    ) ${tableEnding}`,
    `create table secret_versions (
      tenant text not null,
      name text not null,
      version ${int} not null check (version >= 1),
      kek_id text not null check (kek_id <> ''),
      envelope text not null check (envelope <> ''),
      created_at ${int} not null,
      primary key (tenant, name, version),
      foreign key (tenant, name) references secrets (tenant, name) on delete cascade
    ) ${tableEnding}`,
  ];
}

/**
 * No foreign key to tenants: the log takes every record and outlives its tenant. Entries lie in the order of their commits, for
 * every commit costs as many pages as it touches; by the unique key a log is read, and its newest entry is its size (so pruning
 * must leave that one). Of what is in an entry only the time part of the request id has an index (`request-key.ts`): it is small
 * and grows at its end.
 *
 * `lease` is set on intents, `closes` (the seq of the intent) on outcomes, so that recovery can tell what is open by reading the
 * entries after a lease's `scanned_to`. Open calls from before that are in `open_intents`. `request_id` is set on intents alone.
 */
function auditTables({ integerType: int, countedKey, clusteredTableEnding, tableEnding }: EngineCapabilities) {
  return [
    `create table audit_logs (
      log ${countedKey},
      tenant text not null unique check (tenant <> '')
    ) ${tableEnding}`,
    `create table audit_entries (
      place ${countedKey},
      log ${int} not null,
      seq ${int} not null check (seq >= 0),
      request_key ${int},
      request_id text,
      lease ${int},
      closes ${int},
      entry text not null,
      unique (log, seq)
    ) ${tableEnding}`,
    `create index audit_entries_by_request on audit_entries (request_key) where request_key is not null`,
    `create table node_leases (
      lease ${countedKey},
      boot text not null check (boot <> ''),
      node text not null check (node <> ''),
      lease_until ${int} not null,
      scanned_to ${int} not null
    ) ${tableEnding}`,
    `create table open_intents (
      lease ${int} not null references node_leases (lease),
      log ${int} not null,
      seq ${int} not null,
      primary key (lease, log, seq)
    ) ${clusteredTableEnding}`,
  ];
}
