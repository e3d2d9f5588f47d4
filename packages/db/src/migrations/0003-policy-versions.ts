import type { Migration } from './migration.ts';

/**
 * Versions of each tenant's policy, what of a policy is no rule, and the hosts that agents know, for the risk of their calls. `document` is text on every engine, for its bytes are what the
 * hash is of. `activation` counts the activations of a tenant: by it, and not by the clock, it is known what was active before.
 */
export const policyVersions: Migration = {
  number: 3,
  name: 'policy-versions',
  statements: ({ integerType: int, jsonType: json, clusteredTableEnding, tableEnding }) => [
    `create table policy_versions (
      tenant text not null references tenants (name),
      id text not null check (id <> ''),
      number ${int} not null check (number >= 1),
      status text not null check (status in ('draft', 'active', 'superseded')),
      document text not null check (document <> ''),
      content_hash text not null check (length(content_hash) = 64),
      policy_version text,
      note text,
      base ${int} check (base is null or base < number),
      created_by text not null check (created_by <> ''),
      created_at ${int} not null,
      activated_at ${int},
      activation ${int},
      primary key (tenant, id),
      unique (tenant, number),
      unique (tenant, activation),
      check ((status = 'draft') = (activated_at is null)),
      check ((status = 'draft') = (activation is null)),
      check (status <> 'draft' or policy_version is null)
    ) ${tableEnding}`,
    `create unique index policy_versions_active on policy_versions (tenant) where status = 'active'`,
    `create table agent_hosts (
      tenant text not null,
      agent_id text not null,
      host text not null check (host <> ''),
      seen_at ${int} not null,
      primary key (tenant, agent_id, host),
      foreign key (tenant, agent_id) references agents (tenant, id) on delete cascade
    ) ${clusteredTableEnding}`,
    `create table policy_settings (
      tenant text not null primary key references tenants (name),
      risk ${json} not null,
      version ${int} not null,
      updated_at ${int} not null
    ) ${tableEnding}`,
  ],
};
