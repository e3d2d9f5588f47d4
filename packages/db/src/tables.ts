import type { Generated } from 'kysely';
import type { AuditSummaryTables } from './audit-tables.ts';
import type { EdgeTables } from './edge-tables.ts';
import type { IdentityTables } from './identity-tables.ts';
import type { KeyTables } from './key-tables.ts';
import type { AdminRole } from './ports/admins.ts';
import type { ApprovalStatus } from './ports/approvals.ts';
import type { QueuedCallState } from './ports/calls.ts';
import type { ClaimState } from './ports/claims.ts';
import type { Origin } from './ports/context.ts';
import type { GrantKind } from './ports/grants.ts';
import type { OutboxState } from './ports/outbox.ts';
import type { PolicyVersionStatus } from './ports/policy-versions.ts';

/** A JSON column: text in SQLite, `jsonb` (given back parsed) in PostgreSQL. Read it with `json-column.ts` alone. */
export type JsonColumn = unknown;

/** The rows as the engines hold them. Times are milliseconds since the epoch, flags 0 or 1, absence is null. */
export interface Tables extends IdentityTables, KeyTables, EdgeTables, AuditSummaryTables {
  schema_migrations: { number: number; name: string; applied_at: number };
  instance: { id: number; revision: number };
  /** `disabled_at`: since when nobody of the tenant is served. */
  tenants: { name: string; created_at: number; revision: number; disabled_at: number | null };
  tenant_limits: TenantLimitsRow;
  admins: AdminRow;
  agents: AgentRow;
  agent_keys: AgentKeyRow;
  agent_hosts: { tenant: string; agent_id: string; host: string; seen_at: number };
  integrations: IntegrationRow;
  policy_rules: PolicyRuleRow;
  policy_settings: PolicySettingsRow;
  policy_versions: PolicyVersionRow;
  secrets: SecretRow;
  secret_versions: SecretVersionRow;
  template_versions: TemplateVersionRow;
  audit_logs: { log: Generated<number>; tenant: string };
  audit_entries: AuditEntryRow;
  claims: ClaimRow;
  stored_answers: { answer: Generated<number>; tenant: string; bytes: number; sealed: Uint8Array };
  approvals: ApprovalRow;
  grants: GrantRow;
  sealed_requests: SealedRequestRow;
  sealed_chunks: { chunk: Generated<number>; request: number; number: number; sealed: Uint8Array };
  outbox: OutboxRow;
  notification_endpoints: NotificationEndpointRow;
  notices: { tenant: string; subject: string; told_at: number };
  disabled_endpoints: { tenant: string; endpoint: string; disabled_at: number };
  queued_calls: QueuedCallRow;
  open_intents: { lease: number; log: number; seq: number };
  node_leases: NodeLeaseRow;
  nodes: NodeRow;
  background_leases: { name: string; node: string; boot: string; held_until: number };
  instance_marks: { name: string; value: string };
}

/** A bound that is null bounds nothing. */
export interface TenantLimitsRow {
  tenant: string;
  calls_per_second: number | null;
  concurrent_calls: number | null;
  body_memory_bytes: number | null;
  agents: number | null;
  integrations: number | null;
  rules: number | null;
  secrets: number | null;
  templates: number | null;
  queued_calls: number | null;
  running_queued_calls: number | null;
  queued_bytes: number | null;
  pending_approvals: number | null;
  sealed_bytes: number | null;
  audit_spool: number | null;
  version: number;
  updated_at: number;
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

export interface PolicySettingsRow {
  tenant: string;
  risk: JsonColumn;
  version: number;
  updated_at: number;
}

export interface PolicyVersionRow {
  tenant: string;
  id: string;
  number: number;
  status: PolicyVersionStatus;
  /** Exact: `content_hash` is of its UTF-8 bytes. */
  document: string;
  content_hash: string;
  policy_version: string | null;
  note: string | null;
  base: number | null;
  created_by: string;
  created_at: number;
  activated_at: number | null;
  activation: number | null;
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

export interface TemplateVersionRow {
  tenant: string;
  name: string;
  version: number;
  /** Exact: `content_hash` is of its UTF-8 bytes. */
  spec: string;
  content_hash: string;
  origin: Origin;
  active: number;
  created_at: number;
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

export interface ClaimRow {
  /** Order of making. */
  place: Generated<number>;
  tenant: string;
  agent: string;
  integration: string;
  key: string;
  fingerprint: string;
  /** As stored; `claim-state.ts` says how it reads. */
  state: ClaimState;
  fence: number;
  /** While `dispatching`: the lease it is sent under. */
  lease: number | null;
  request_id: string | null;
  approval_id: string | null;
  problem_code: string | null;
  problem_status: number | null;
  /** Of `stored_answers`. */
  answer: number | null;
  resolution: JsonColumn;
  retry_allowed: number;
  created_at: number;
  expires_at: number;
}

export interface ApprovalRow {
  tenant: string;
  id: string;
  agent: string;
  environment: string | null;
  integration: string;
  action: string | null;
  method: string;
  url: string;
  fingerprint: string;
  request_id: string;
  summary: string;
  intent: string | null;
  risk: JsonColumn;
  rule: string | null;
  reason: string | null;
  policy_version: string | null;
  descriptor: string;
  terms: JsonColumn;
  /** As stored; `approval-state.ts` says how it reads. */
  status: ApprovalStatus;
  votes: JsonColumn;
  created_at: number;
  expires_at: number;
  approved_at: number | null;
  execute_until: number | null;
  decided_by: string | null;
  decided_at: number | null;
  decision_reason: string | null;
  denied_until: number | null;
  claim_key: string | null;
  sealed_request: string | null;
  /** Request id of the first execution. */
  executed_by: string | null;
  /** While `executing`. */
  lease: number | null;
}

export interface GrantRow {
  tenant: string;
  id: string;
  approval_id: string;
  agent: string;
  kind: GrantKind;
  fingerprint: string | null;
  integration: string;
  action: string | null;
  method: string;
  path: string | null;
  uses_left: number | null;
  expires_at: number;
  created_at: number;
  granted_by: string;
  revoked_at: number | null;
  revoked_by: string | null;
}

export interface SealedRequestRow {
  place: Generated<number>;
  tenant: string;
  id: string;
  is_complete: number;
  chunks: number;
  bytes: number;
  created_at: number;
  keep_until: number;
}

export interface OutboxRow {
  place: Generated<number>;
  tenant: string;
  id: string;
  endpoint: string;
  type: string;
  body: string;
  state: OutboxState;
  attempts: number;
  /** Of one that is being sent: the end of its lease. */
  next_attempt_at: number;
  created_at: number;
  last_error: string | null;
  finished_at: number | null;
}

export interface NotificationEndpointRow {
  tenant: string;
  id: string;
  url: string;
  spec: JsonColumn;
  origin: Origin;
  created_at: number;
  updated_at: number;
  delivered_at: number | null;
  /** Of the last try, when it failed. */
  failed_at: number | null;
  last_error: string | null;
}

export interface NodeRow {
  node: string;
  boot: string;
  version: string;
  key_ids: JsonColumn;
  has_redis: number;
  started_at: number;
  seen_at: number;
  alive_until: number;
  clock_ahead_ms: number;
}

export interface QueuedCallRow {
  place: Generated<number>;
  tenant: string;
  id: string;
  agent: string;
  integration: string;
  state: QueuedCallState;
  sealed_request: string;
  /** Of its sealed request, as long as it is queued or runs. */
  bytes: Generated<number>;
  claim_key: string;
  request_id: string;
  attempts: number;
  /** When it may be taken; of a running one: the end of its lease. */
  due_at: number | null;
  created_at: number;
  started_at: number | null;
  finished_at: number | null;
  keep_until: number | null;
  /** Of `stored_answers`. */
  answer: number | null;
  problem: JsonColumn;
}
