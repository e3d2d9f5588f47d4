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
 * No foreign key to tenants: the log takes every record and outlives its tenant. Of all columns of an entry only the request id
 * has an index: it grows at its end, while one on the agent would touch another page with each entry.
 */
function auditTables({ integerType: int, clusteredTableEnding }: EngineCapabilities) {
  return [
    `create table audit_logs (
      tenant text not null primary key check (tenant <> ''),
      size ${int} not null
    ) ${clusteredTableEnding}`,
    `create table audit_entries (
      tenant text not null,
      seq ${int} not null,
      at ${int} not null,
      type text not null,
      request_id text,
      agent text,
      integration text,
      action text,
      decision text,
      entry text not null,
      primary key (tenant, seq)
    ) ${clusteredTableEnding}`,
    `create index audit_entries_by_request on audit_entries (tenant, request_id) where request_id is not null`,
    `create table open_intents (
      tenant text not null,
      seq ${int} not null,
      boot text not null check (boot <> ''),
      primary key (tenant, seq)
    ) ${clusteredTableEnding}`,
    `create table node_leases (
      boot text not null primary key check (boot <> ''),
      node text not null check (node <> ''),
      lease_until ${int} not null
    ) ${clusteredTableEnding}`,
  ];
}
