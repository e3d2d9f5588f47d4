import type { EngineCapabilities } from '../client.ts';
import type { Migration } from './migration.ts';

export const approvalsAndClaims: Migration = {
  number: 5,
  name: 'approvals-and-claims',
  statements: (capabilities) => [
    ...claimTables(capabilities),
    ...approvalTables(capabilities),
    ...grantTables(capabilities),
    ...sealedRequestTables(capabilities),
    ...outboxTables(capabilities),
    ...queuedCallTables(capabilities),
  ],
};

/**
 * Claims lie in the order in which they were made, so that making and settling them touches the same few pages; only the unique key is
 * spread. `lease` is a number of `node_leases`, while `dispatching`. No foreign keys: a claim outlives agents and integrations, and
 * with them the question whether a call was sent.
 */
function claimTables({
  integerType: int,
  countedKey,
  jsonType: json,
  bytesType: bytes,
  tableEnding,
}: EngineCapabilities) {
  return [
    `create table claims (
      place ${countedKey},
      tenant text not null check (tenant <> ''),
      agent text not null check (agent <> ''),
      integration text not null check (integration <> ''),
      key text not null check (key <> ''),
      fingerprint text not null check (fingerprint <> ''),
      state text not null check (state in
        ('reserved', 'awaiting_approval', 'dispatching', 'succeeded', 'failed_not_sent', 'failed_final', 'unknown')),
      fence ${int} not null check (fence >= 0),
      lease ${int} check (lease is null or state = 'dispatching'),
      request_id text,
      approval_id text,
      problem_code text check ((problem_code is not null) = (state = 'failed_final')),
      problem_status ${int} check ((problem_status is not null) = (state = 'failed_final')),
      answer ${int} check (answer is null or state = 'succeeded'),
      resolution ${json},
      retry_allowed ${int} not null check (retry_allowed in (0, 1)),
      created_at ${int} not null,
      expires_at ${int} not null,
      unique (tenant, agent, integration, key)
    ) ${tableEnding}`,
    `create index claims_by_expiry on claims (expires_at)`,
    `create index claims_dispatching on claims (request_id) where state = 'dispatching'`,
    `create index claims_unknown on claims (tenant, place) where state = 'unknown'`,
    `create index claims_by_approval on claims (tenant, approval_id) where approval_id is not null`,
    `create table stored_answers (
      answer ${countedKey},
      tenant text not null check (tenant <> ''),
      bytes ${int} not null,
      sealed ${bytes} not null
    ) ${tableEnding}`,
  ];
}

function approvalTables({ integerType: int, jsonType: json, tableEnding }: EngineCapabilities) {
  return [
    `create table approvals (
      tenant text not null check (tenant <> ''),
      id text not null check (id <> ''),
      agent text not null check (agent <> ''),
      environment text,
      integration text not null check (integration <> ''),
      action text,
      method text not null check (method <> ''),
      url text not null check (url <> ''),
      fingerprint text not null check (fingerprint <> ''),
      request_id text not null check (request_id <> ''),
      summary text not null,
      intent text,
      risk ${json},
      rule text,
      reason text,
      policy_version text,
      descriptor text not null,
      terms ${json} not null,
      status text not null check (status in
        ('pending', 'approved', 'denied', 'expired', 'cancelled', 'executing', 'executed', 'failed', 'unknown')),
      votes ${json} not null,
      created_at ${int} not null,
      expires_at ${int} not null,
      approved_at ${int},
      execute_until ${int},
      decided_by text,
      decided_at ${int},
      decision_reason text,
      denied_until ${int},
      claim_key text,
      sealed_request text,
      executed_by text,
      lease ${int} check (lease is null or status = 'executing'),
      primary key (tenant, id),
      check (status in ('pending', 'denied', 'expired', 'cancelled') or (approved_at is not null and execute_until is not null)),
      check (status not in ('executing', 'executed', 'failed', 'unknown') or executed_by is not null),
      check ((denied_until is not null) = (status = 'denied'))
    ) ${tableEnding}`,
    `create unique index approvals_pending on approvals (tenant, agent, fingerprint) where status = 'pending'`,
    `create index approvals_by_binding on approvals (tenant, agent, fingerprint, created_at)`,
    `create index approvals_by_agent on approvals (tenant, agent, created_at, id)`,
    `create index approvals_by_status on approvals (tenant, status, created_at, id)`,
    `create index approvals_by_time on approvals (tenant, created_at, id)`,
    `create index approvals_executing on approvals (executed_by) where status = 'executing'`,
    `create index approvals_to_decide on approvals (expires_at) where status = 'pending'`,
    `create index approvals_to_execute on approvals (execute_until) where status = 'approved'`,
  ];
}

function grantTables({ integerType: int, tableEnding }: EngineCapabilities) {
  return [
    `create table grants (
      tenant text not null,
      id text not null check (id <> ''),
      approval_id text not null,
      agent text not null check (agent <> ''),
      kind text not null check (kind in ('once', 'times', 'until', 'rule')),
      fingerprint text check ((fingerprint is not null) = (kind <> 'rule')),
      integration text not null check (integration <> ''),
      action text,
      method text not null check (method <> ''),
      path text check ((path is not null) = (kind = 'rule')),
      uses_left ${int} check (uses_left >= 0 and (uses_left is not null) = (kind in ('once', 'times'))),
      expires_at ${int} not null,
      created_at ${int} not null,
      granted_by text not null check (granted_by <> ''),
      revoked_at ${int},
      revoked_by text,
      primary key (tenant, id),
      foreign key (tenant, approval_id) references approvals (tenant, id)
    ) ${tableEnding}`,
    `create index grants_by_fingerprint on grants (tenant, agent, fingerprint) where fingerprint is not null`,
    `create index grants_standing on grants (tenant, agent, integration, method, path) where kind = 'rule'`,
    `create index grants_by_approval on grants (tenant, approval_id)`,
    `create index grants_by_time on grants (tenant, created_at, id)`,
  ];
}

function sealedRequestTables({ integerType: int, countedKey, bytesType: bytes, tableEnding }: EngineCapabilities) {
  return [
    `create table sealed_requests (
      place ${countedKey},
      tenant text not null check (tenant <> ''),
      id text not null check (id <> ''),
      is_complete ${int} not null check (is_complete in (0, 1)),
      chunks ${int} not null,
      bytes ${int} not null,
      created_at ${int} not null,
      keep_until ${int} not null,
      unique (tenant, id)
    ) ${tableEnding}`,
    `create index sealed_requests_by_end on sealed_requests (keep_until)`,
    `create table sealed_chunks (
      chunk ${countedKey},
      request ${int} not null references sealed_requests (place) on delete cascade,
      number ${int} not null check (number >= 0),
      sealed ${bytes} not null,
      unique (request, number)
    ) ${tableEnding}`,
  ];
}

function outboxTables({ integerType: int, countedKey, clusteredTableEnding, tableEnding }: EngineCapabilities) {
  return [
    `create table outbox (
      place ${countedKey},
      tenant text not null check (tenant <> ''),
      id text not null unique check (id <> ''),
      endpoint text not null check (endpoint <> ''),
      type text not null check (type <> ''),
      body text not null,
      state text not null check (state in ('pending', 'delivered', 'dead', 'disabled')),
      attempts ${int} not null check (attempts >= 0),
      next_attempt_at ${int} not null,
      created_at ${int} not null,
      last_error text,
      finished_at ${int} check ((finished_at is null) = (state = 'pending'))
    ) ${tableEnding}`,
    `create index outbox_due on outbox (next_attempt_at, place) where state = 'pending'`,
    `create index outbox_by_tenant on outbox (tenant, place)`,
    `create index outbox_by_endpoint on outbox (tenant, endpoint) where state = 'pending'`,
    `create index outbox_finished on outbox (finished_at) where finished_at is not null`,
    `create table disabled_endpoints (
      tenant text not null check (tenant <> ''),
      endpoint text not null check (endpoint <> ''),
      disabled_at ${int} not null,
      primary key (tenant, endpoint)
    ) ${clusteredTableEnding}`,
  ];
}

function queuedCallTables({ integerType: int, countedKey, jsonType: json, tableEnding }: EngineCapabilities) {
  return [
    `create table queued_calls (
      place ${countedKey},
      tenant text not null check (tenant <> ''),
      id text not null check (id <> ''),
      agent text not null check (agent <> ''),
      integration text not null check (integration <> ''),
      state text not null check (state in ('queued', 'running', 'done', 'cancelled')),
      sealed_request text not null check (sealed_request <> ''),
      claim_key text not null check (claim_key <> ''),
      request_id text not null check (request_id <> ''),
      attempts ${int} not null check (attempts >= 0),
      due_at ${int},
      created_at ${int} not null,
      started_at ${int},
      finished_at ${int},
      keep_until ${int},
      answer ${int},
      problem ${json},
      unique (tenant, id),
      check ((due_at is not null) = (state in ('queued', 'running'))),
      check ((keep_until is not null) = (state in ('done', 'cancelled')))
    ) ${tableEnding}`,
    `create index queued_calls_open on queued_calls (tenant, integration, state, place, due_at) where due_at is not null`,
    `create index queued_calls_due on queued_calls (due_at) where due_at is not null`,
    `create index queued_calls_by_key on queued_calls (tenant, claim_key) where due_at is not null`,
    `create index queued_calls_over on queued_calls (keep_until) where keep_until is not null`,
  ];
}
