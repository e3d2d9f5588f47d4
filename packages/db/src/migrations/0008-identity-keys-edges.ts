import type { EngineCapabilities } from '../client.ts';
import { ofTenants } from './0007-row-security.ts';
import { edgeStatements } from './0008-edges.ts';
import type { Migration } from './migration.ts';

/** People and agents by certificate, signing keys and salts, decisions beside the log, and what a hub keeps of its edges. */
export const identityKeysEdges: Migration = {
  number: 8,
  name: 'identity-keys-edges',
  statements: (capabilities) => [
    ...adminIdentityTables(capabilities),
    ...agentIdentityTables(capabilities),
    ...keyTables(capabilities),
    ...auditTables(capabilities),
    ...templateTables(capabilities),
    ...edgeStatements(capabilities),
    ...ofTenants(capabilities, TABLES_OF_TENANTS),
    // Of the instance: no tenant's statement sees who else there is.
    ...INSTANCE_TABLES.flatMap((table) => capabilities.rowSecurity(table, () => 'false')),
  ],
};

const INSTANCE_TABLES = ['admin_signup_policy', 'admin_identities'];

const TABLES_OF_TENANTS = [
  'admin_role_bindings',
  'admin_access_requests',
  'users',
  'agent_san_uris',
  'agent_certificates',
  'enrollment_tokens',
  'sessions',
  'manifest_keysets',
  'manifest_keys',
  'crypto_verification_defaults',
  'audit_salts',
  'redaction_profiles',
  'audit_decisions',
  'template_invalidations',
  'edge_cursors',
  'edge_records',
  'edge_gaps',
  'commands',
  'bundles',
  'bundle_acknowledgements',
];

/** Identities belong to the instance: one person may have roles in several tenants. */
function adminIdentityTables({ integerType: int, jsonType: json, tableEnding }: EngineCapabilities) {
  const role = `text not null check (role in ('owner', 'admin', 'approver', 'auditor', 'operator'))`;
  return [
    `create table admin_signup_policy (
      id ${int} not null primary key check (id = 1),
      mode text not null check (mode in ('blocked', 'verified_email', 'allowed_domains')),
      allowed_domains ${json} not null,
      version ${int} not null check (version >= 1),
      updated_by text not null check (updated_by <> ''),
      updated_at ${int} not null
    ) ${tableEnding}`,
    `create table admin_identities (
      id text not null primary key check (id <> ''),
      issuer text not null check (issuer <> ''),
      subject text not null check (subject <> ''),
      email text not null check (email <> ''),
      is_email_verified ${int} not null check (is_email_verified in (0, 1)),
      name text,
      status text not null check (status in ('active', 'pending', 'disabled')),
      version ${int} not null check (version >= 1),
      created_at ${int} not null,
      updated_at ${int} not null,
      unique (issuer, subject)
    ) ${tableEnding}`,
    `create index admin_identities_by_time on admin_identities (created_at, id)`,
    `create table admin_role_bindings (
      identity_id text not null references admin_identities (id) on delete cascade,
      tenant text not null references tenants (name),
      role ${role},
      groups ${json} not null,
      primary key (identity_id, tenant),
      check (tenant <> '*' or role = 'owner')
    ) ${tableEnding}`,
    `create index admin_role_bindings_by_tenant on admin_role_bindings (tenant, identity_id)`,
    `create table admin_access_requests (
      tenant text not null references tenants (name),
      id text not null check (id <> ''),
      identity_id text not null references admin_identities (id) on delete cascade,
      role ${role},
      reason text,
      status text not null check (status in ('pending', 'approved', 'denied', 'cancelled')),
      created_at ${int} not null,
      decided_by text check ((decided_by is null) = (status = 'pending')),
      decided_at ${int} check ((decided_at is null) = (status = 'pending')),
      decision_reason text check (decision_reason is null or status <> 'pending'),
      primary key (tenant, id),
      check (tenant <> '*' or role = 'owner'),
      check (status <> 'denied' or decision_reason is not null)
    ) ${tableEnding}`,
    `create unique index admin_access_requests_pending on admin_access_requests (tenant, identity_id) where status = 'pending'`,
    `create index admin_access_requests_by_time on admin_access_requests (created_at, id)`,
    `create index admin_access_requests_of_identity on admin_access_requests (identity_id)`,
    `create table users (
      tenant text not null references tenants (name),
      id text not null check (id <> ''),
      email text not null check (email <> ''),
      name text,
      identity_id text references admin_identities (id),
      roles ${json} not null,
      version ${int} not null check (version >= 1),
      created_at ${int} not null,
      updated_at ${int} not null,
      primary key (tenant, id),
      unique (tenant, email)
    ) ${tableEnding}`,
    `create index users_by_time on users (tenant, created_at, id)`,
  ];
}

/** A certificate refers to no agent, so that a revoked one outlives the agent that it was issued for. */
function agentIdentityTables({ integerType: int, jsonType: json, tableEnding }: EngineCapabilities) {
  const ofAgent = 'foreign key (tenant, agent_id) references agents (tenant, id) on delete cascade';
  return [
    `create index agents_by_id on agents (id)`,
    `create table agent_san_uris (
      san_uri text not null primary key check (san_uri <> ''),
      tenant text not null,
      agent_id text not null,
      unique (tenant, agent_id),
      ${ofAgent}
    ) ${tableEnding}`,
    `create table agent_certificates (
      tenant text not null references tenants (name),
      serial text not null check (serial <> ''),
      agent_id text not null check (agent_id <> ''),
      fingerprint text not null unique check (length(fingerprint) = 64),
      san_uri text not null check (san_uri <> ''),
      not_before ${int} not null,
      not_after ${int} not null,
      created_at ${int} not null,
      revoked_at ${int},
      revoked_by text check ((revoked_by is null) = (revoked_at is null)),
      revocation_reason text check (revocation_reason is null or revoked_at is not null),
      primary key (tenant, serial),
      check (not_after > not_before)
    ) ${tableEnding}`,
    `create index agent_certificates_by_agent on agent_certificates (tenant, agent_id, created_at, serial)`,
    `create index agent_certificates_by_time on agent_certificates (tenant, created_at, serial)`,
    `create table enrollment_tokens (
      tenant text not null,
      id text not null check (id <> ''),
      agent_id text not null,
      token_hash text not null unique check (length(token_hash) = 64),
      issued_by text not null check (issued_by <> ''),
      issued_at ${int} not null,
      expires_at ${int} not null,
      consumed_at ${int},
      voided_at ${int} check (voided_at is null or consumed_at is null),
      primary key (tenant, id),
      ${ofAgent}
    ) ${tableEnding}`,
    `create unique index enrollment_tokens_open on enrollment_tokens (tenant, agent_id) where consumed_at is null and voided_at is null`,
    `create index enrollment_tokens_by_agent on enrollment_tokens (tenant, agent_id)`,
    `create index enrollment_tokens_by_end on enrollment_tokens (expires_at)`,
    `create table sessions (
      tenant text not null,
      id text not null check (id <> ''),
      agent_id text not null,
      token_hash text not null unique check (length(token_hash) = 64),
      certificate_fingerprint text not null check (length(certificate_fingerprint) = 64),
      dpop_thumbprint text check (length(dpop_thumbprint) = 43),
      scopes ${json} not null,
      created_at ${int} not null,
      expires_at ${int} not null,
      revoked_at ${int},
      primary key (tenant, id),
      ${ofAgent}
    ) ${tableEnding}`,
    `create index sessions_by_agent on sessions (tenant, agent_id)`,
    `create index sessions_by_certificate on sessions (tenant, certificate_fingerprint)`,
    `create index sessions_by_end on sessions (expires_at)`,
  ];
}

/** An active manifest key has its private half, no other has. */
function keyTables({ integerType: int, jsonType: json, tableEnding }: EngineCapabilities) {
  return [
    `create table manifest_keysets (
      tenant text not null references tenants (name),
      keyset text not null check (keyset <> ''),
      active_kid text,
      etag text not null check (etag <> ''),
      generated_at ${int} not null,
      max_age_seconds ${int} not null check (max_age_seconds between 30 and 300),
      primary key (tenant, keyset)
    ) ${tableEnding}`,
    `create table manifest_keys (
      tenant text not null,
      keyset text not null,
      kid text not null check (kid <> ''),
      algorithm text not null check (algorithm in ('EdDSA', 'ES256')),
      public_jwk ${json} not null,
      kek_id text check ((kek_id is null) = (status <> 'active')),
      envelope text check ((envelope is null) = (status <> 'active')),
      status text not null check (status in ('active', 'retired', 'revoked')),
      created_at ${int} not null,
      retired_at ${int} check ((retired_at is null) = (status = 'active')),
      revoked_at ${int} check ((revoked_at is null) = (status <> 'revoked')),
      primary key (tenant, keyset, kid),
      foreign key (tenant, keyset) references manifest_keysets (tenant, keyset)
    ) ${tableEnding}`,
    `create table crypto_verification_defaults (
      tenant text not null primary key references tenants (name),
      require_temporal_validity ${int} not null check (require_temporal_validity in (0, 1)),
      max_clock_skew_seconds ${int} not null check (max_clock_skew_seconds between 0 and 300),
      version ${int} not null check (version >= 1),
      updated_at ${int} not null
    ) ${tableEnding}`,
  ];
}

/** Decisions refer to no tenant: they are kept as the log is. */
function auditTables({ integerType: int, jsonType: json, tableEnding }: EngineCapabilities) {
  return [
    `create table audit_salts (
      tenant text not null references tenants (name),
      version ${int} not null check (version >= 1),
      kek_id text check ((kek_id is null) = (erased_at is not null)),
      envelope text check ((envelope is null) = (erased_at is not null)),
      created_at ${int} not null,
      erased_at ${int},
      primary key (tenant, version)
    ) ${tableEnding}`,
    `create table redaction_profiles (
      tenant text not null primary key references tenants (name),
      profile ${json} not null,
      version ${int} not null check (version >= 1),
      updated_by text not null check (updated_by <> ''),
      updated_at ${int} not null
    ) ${tableEnding}`,
    `create table audit_decisions (
      tenant text not null check (tenant <> ''),
      event_id text not null check (event_id <> ''),
      kind text not null check (kind in ('policy', 'ssrf_guard')),
      decided_at ${int} not null,
      event ${json} not null,
      primary key (tenant, event_id)
    ) ${tableEnding}`,
    `create index audit_decisions_by_time on audit_decisions (decided_at)`,
  ];
}

function templateTables({ integerType: int, tableEnding }: EngineCapabilities) {
  return [
    `create table template_invalidations (
      tenant text not null references tenants (name),
      id text not null check (id <> ''),
      name text not null check (name <> ''),
      version ${int} not null check (version >= 1),
      created_at ${int} not null,
      attempts ${int} not null check (attempts >= 0),
      next_attempt_at ${int} check ((next_attempt_at is null) = (delivered_at is not null)),
      delivered_at ${int},
      last_error text,
      primary key (tenant, id)
    ) ${tableEnding}`,
    `create index template_invalidations_due on template_invalidations (next_attempt_at, created_at, id) where delivered_at is null`,
    `create index template_invalidations_over on template_invalidations (delivered_at) where delivered_at is not null`,
  ];
}
