import type { Generated } from 'kysely';
import type { AdminRole } from './ports/admins.ts';
import type { Origin } from './ports/context.ts';

/** A JSON column: text in SQLite, `jsonb` (given back parsed) in PostgreSQL. Read it with `json-column.ts` alone. */
export type JsonColumn = unknown;

/** The rows as the engines hold them. Times are milliseconds since the epoch, flags 0 or 1, absence is null. */
export interface Tables {
  schema_migrations: { number: number; name: string; applied_at: number };
  instance: { id: number; revision: number };
  tenants: { name: string; created_at: number; revision: number };
  admins: AdminRow;
  agents: AgentRow;
  agent_keys: AgentKeyRow;
  integrations: IntegrationRow;
  policy_rules: PolicyRuleRow;
  secrets: SecretRow;
  secret_versions: SecretVersionRow;
  audit_logs: { log: Generated<number>; tenant: string };
  audit_entries: AuditEntryRow;
  open_intents: { lease: number; log: number; seq: number };
  node_leases: NodeLeaseRow;
}

export interface AdminRow {
  id: string;
  name: string;
  tenant: string | null;
  role: AdminRole;
  groups: JsonColumn;
  token_digest: string;
  token_key_id: string;
  expires_at: number | null;
  revoked_at: number | null;
  created_at: number;
}

export interface AgentRow {
  tenant: string;
  id: string;
  name: string;
  owner: string | null;
  roles: JsonColumn;
  trust: string;
  environment: string | null;
  addresses: JsonColumn;
  disabled: number;
  origin: Origin;
  version: number;
  created_at: number;
  updated_at: number;
  last_used_at: number | null;
}

export interface AgentKeyRow {
  tenant: string;
  id: string;
  agent_id: string;
  digest: string;
  digest_key_id: string;
  scopes: JsonColumn;
  expires_at: number | null;
  revoked_at: number | null;
  created_at: number;
  last_used_at: number | null;
  origin: Origin;
}

export interface IntegrationRow {
  tenant: string;
  id: string;
  name: string;
  spec: JsonColumn;
  origin: Origin;
  version: number;
  created_at: number;
  updated_at: number;
}

export interface PolicyRuleRow {
  tenant: string;
  id: string;
  spec: JsonColumn;
  origin: Origin;
  version: number;
  created_at: number;
  updated_at: number;
  disabled_at: number | null;
}

export interface SecretRow {
  tenant: string;
  id: string;
  name: string;
  environments: JsonColumn;
  active_version: number;
  origin: Origin;
  created_at: number;
  updated_at: number;
}

export interface SecretVersionRow {
  tenant: string;
  name: string;
  version: number;
  kek_id: string;
  envelope: string;
  created_at: number;
  /** Of versions that a token endpoint gave: the one that a person or a document wrote and that they descend from. */
  rotated_from: number | null;
}

export interface AuditEntryRow {
  /** Order of insertion over all logs. */
  place: Generated<number>;
  log: number;
  seq: number;
  /** See `request-key.ts`. */
  request_key: number | null;
  /** Of intents alone: it is known even when the entry cannot be read. */
  request_id: string | null;
  /** Of intents: the lease that they were made under. */
  lease: number | null;
  /** Of outcomes: the seq of their intent. */
  closes: number | null;
  /** The RFC 8785 text; its UTF-8 form is the Merkle leaf. */
  entry: string;
}

export interface NodeLeaseRow {
  lease: Generated<number>;
  boot: string;
  node: string;
  /** 0 once the lease was taken from its boot or given back. */
  lease_until: number;
  /** Of the intents up to this place those that are open are in `open_intents`. */
  scanned_to: number;
}
