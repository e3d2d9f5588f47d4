import { DatabaseSync, type SQLInputValue } from 'node:sqlite';

const TENANT = 'acme';
/** What trips up writers of array literals, of JSON, and of texts. */
const TRICKY = `NULL,"{}",\\ 'x' \t\n zwölf 😀 \u202e \\u0000 ${'%'}s`;
const JSON_TEXT = JSON.stringify({
  z: 1,
  a: [true, null, 0.1, -0, 1e21, 2 ** 53 - 1],
  text: TRICKY,
  '': {},
  ä: '\\u0000',
});
const HASH = 'ab'.repeat(32);
const AT = 1_700_000_000_000;

type Row = Readonly<Record<string, SQLInputValue>>;

/** Rows of one tenant in every table that is brought over, with all that its columns may hold. */
const ROWS: Readonly<Record<string, readonly Row[]>> = {
  instance_marks: [{ name: 'key-check:k1', value: HASH }],
  tenants: [{ name: TENANT, created_at: AT, revision: 3, disabled_at: null }],
  tenant_limits: [{ tenant: TENANT, calls_per_second: 5, agents: 2 ** 53 - 1, version: 1, updated_at: AT }],
  admins: [
    admin({ id: 'ad1', name: 'root-2', tenant: null, token_digest: 'd1' }),
    admin({ id: 'ad2', name: 'bob', tenant: TENANT, token_digest: 'd2' }),
  ],
  admin_signup_policy: [
    {
      id: 1,
      mode: 'allowed_domains',
      allowed_domains: '["example.com"]',
      version: 1,
      updated_by: 'bob',
      updated_at: AT,
    },
  ],
  admin_identities: [
    {
      ...{ id: 'i1', issuer: 'https://id.example.com', subject: 's', email: 'a@example.com', is_email_verified: 1 },
      ...{ name: TRICKY, status: 'active', version: 1, created_at: AT, updated_at: AT },
    },
  ],
  admin_role_bindings: [{ identity_id: 'i1', tenant: TENANT, role: 'admin', groups: '["g"]' }],
  admin_access_requests: [
    { tenant: TENANT, id: 'r1', identity_id: 'i1', role: 'auditor', reason: '', status: 'pending', created_at: AT },
  ],
  users: [
    {
      ...{ tenant: TENANT, id: 'u1', email: 'u@example.com', name: null, identity_id: 'i1', roles: '[]' },
      ...{ version: 1, created_at: AT, updated_at: AT },
    },
  ],
  agents: [
    {
      ...{ tenant: TENANT, id: 'a1', name: 'coder', owner: TRICKY, roles: '["developer"]', trust: 'medium' },
      ...{ environment: null, addresses: '["10.0.0.0/8"]', disabled: 0, origin: 'config', version: 1 },
      ...{ created_at: AT, updated_at: AT, last_used_at: null },
    },
  ],
  agent_keys: [
    {
      ...{ id: 'abcdefghij', tenant: TENANT, agent_id: 'a1', digest: 'x==', digest_key_id: 'k1', scopes: '["call"]' },
      ...{ expires_at: null, revoked_at: AT, created_at: AT, last_used_at: AT, origin: 'api' },
    },
  ],
  agent_hosts: [{ tenant: TENANT, agent_id: 'a1', host: 'api.example.com', seen_at: AT }],
  agent_san_uris: [{ san_uri: 'spiffe://example/a1', tenant: TENANT, agent_id: 'a1' }],
  agent_certificates: [
    {
      ...{ tenant: TENANT, serial: '01', agent_id: 'a1', fingerprint: HASH, san_uri: 'spiffe://example/a1' },
      ...{ not_before: AT, not_after: AT + 1, created_at: AT },
    },
  ],
  enrollment_tokens: [
    {
      ...{ tenant: TENANT, id: 'e1', agent_id: 'a1', token_hash: HASH, issued_by: 'bob', issued_at: AT },
      ...{ expires_at: AT + 900_000, consumed_at: null, voided_at: null },
    },
  ],
  sessions: [
    {
      ...{ tenant: TENANT, id: 's1', agent_id: 'a1', token_hash: HASH, certificate_fingerprint: HASH },
      ...{ dpop_thumbprint: null, scopes: '[]', created_at: AT, expires_at: AT + 900_000, revoked_at: null },
    },
  ],
  integrations: [
    {
      ...{ tenant: TENANT, id: 'in1', name: 'github', spec: JSON_TEXT, origin: 'config', version: 2 },
      ...{ created_at: AT, updated_at: AT },
    },
  ],
  policy_rules: [
    {
      ...{ tenant: TENANT, id: 'reads', spec: JSON_TEXT, origin: 'api', version: 1, created_at: AT, updated_at: AT },
      disabled_at: AT,
    },
  ],
  policy_settings: [{ tenant: TENANT, risk: '{"review":0.5,"deny":0.9}', version: 1, updated_at: AT }],
  policy_versions: [
    {
      ...{ tenant: TENANT, id: 'p1', number: 1, status: 'active', document: TRICKY, content_hash: HASH },
      ...{ policy_version: HASH, note: null, base: null, created_by: 'bob', created_at: AT, activated_at: AT },
      activation: 1,
    },
  ],
  secrets: [
    {
      ...{ tenant: TENANT, id: 'se1', name: 'token', environments: null, active_version: 2, origin: 'api' },
      ...{ created_at: AT, updated_at: AT },
    },
  ],
  secret_versions: [1, 2].map((version) => ({
    ...{ tenant: TENANT, name: 'token', version, kek_id: 'k1', envelope: JSON_TEXT, created_at: AT },
    rotated_from: version === 1 ? null : 1,
  })),
  template_versions: [
    {
      ...{ tenant: TENANT, name: 'own', version: 1, spec: TRICKY, content_hash: HASH, origin: 'api', active: 1 },
      created_at: AT,
    },
  ],
  template_invalidations: [
    { tenant: TENANT, id: 't1', name: 'own', version: 1, created_at: AT, attempts: 1, next_attempt_at: AT },
  ],
  manifest_keysets: [
    { tenant: TENANT, keyset: 'main', active_kid: 'k', etag: 'e', generated_at: AT, max_age_seconds: 60 },
  ],
  manifest_keys: [
    {
      ...{ tenant: TENANT, keyset: 'main', kid: 'k', algorithm: 'EdDSA', public_jwk: '{"kty":"OKP"}', kek_id: 'k1' },
      ...{ envelope: '{}', status: 'active', created_at: AT, retired_at: null, revoked_at: null },
    },
  ],
  crypto_verification_defaults: [
    { tenant: TENANT, require_temporal_validity: 1, max_clock_skew_seconds: 0, version: 1, updated_at: AT },
  ],
  redaction_profiles: [{ tenant: TENANT, profile: JSON_TEXT, version: 1, updated_by: 'bob', updated_at: AT }],
  notification_endpoints: [
    {
      ...{ tenant: TENANT, id: 'n1', url: 'https://hooks.example.com/', spec: '{}', origin: 'api', created_at: AT },
      ...{ updated_at: AT, delivered_at: null, failed_at: AT, last_error: TRICKY },
    },
  ],
  notices: [{ tenant: TENANT, subject: 'secret:token', told_at: AT }],
  disabled_endpoints: [{ tenant: TENANT, endpoint: 'n1', disabled_at: AT }],
  outbox: [
    {
      ...{ place: 41, tenant: TENANT, id: 'm1', endpoint: 'n1', type: 'approval.created', body: TRICKY },
      ...{ state: 'pending', attempts: 0, next_attempt_at: AT, created_at: AT, last_error: null, finished_at: null },
    },
  ],
  sealed_requests: [
    { place: 7, tenant: TENANT, id: 'sr1', is_complete: 1, chunks: 2, bytes: 5, created_at: AT, keep_until: AT },
  ],
  sealed_chunks: [
    { chunk: 12, request: 7, number: 0, sealed: new Uint8Array([0, 255, 92, 34, 123]) },
    { chunk: 13, request: 7, number: 1, sealed: new Uint8Array(0) },
  ],
  stored_answers: [{ answer: 99, tenant: TENANT, bytes: 3, sealed: new Uint8Array([1, 2, 3]) }],
  queued_calls: [
    {
      ...{ place: 5, tenant: TENANT, id: 'q1', agent: 'coder', integration: 'github', state: 'queued' },
      ...{ sealed_request: 'sr1', claim_key: 'key', request_id: 'req-1', attempts: 0, due_at: AT, created_at: AT },
      problem: null,
    },
  ],
  approvals: [
    {
      ...{ tenant: TENANT, id: 'ap1', agent: 'coder', integration: 'github', method: 'POST', url: 'https://x/' },
      ...{ fingerprint: HASH, request_id: 'req-1', summary: TRICKY, intent: null, risk: JSON_TEXT, rule: 'writes' },
      ...{ descriptor: JSON_TEXT, terms: '{"approvers":1}', status: 'approved', votes: '[]', created_at: AT },
      ...{ expires_at: AT, approved_at: AT, execute_until: AT, decided_by: 'bob', decided_at: AT, claim_key: 'key' },
      ...{ sealed_request: 'sr1' },
    },
  ],
  grants: [
    {
      ...{ tenant: TENANT, id: 'g1', approval_id: 'ap1', agent: 'coder', kind: 'times', fingerprint: HASH },
      ...{ integration: 'github', action: null, method: 'POST', path: null, uses_left: 2, expires_at: AT },
      ...{ created_at: AT, granted_by: 'bob' },
    },
  ],
  claims: [
    claim({ place: 20, key: 'k-done', state: 'succeeded', answer: 99, request_id: 'req-0' }),
    claim({ place: 21, key: 'k-open', state: 'dispatching', lease: 3, request_id: 'req-1' }),
  ],
  edge_cursors: [
    {
      ...{ tenant: TENANT, edge: 'ed', class: 'record', epoch: 'e1', acked_through: 2, delivered: 1, missing: 1 },
      ...{ issued: 2, updated_at: AT },
    },
  ],
  edge_records: [
    {
      ...{ place: 3, tenant: TENANT, edge: 'ed', class: 'record', epoch: 'e1', seq: 1, table_name: 't', priority: 3 },
      ...{ at: AT, body: TRICKY, received_at: AT },
    },
  ],
  edge_gaps: [
    {
      ...{ tenant: TENANT, edge: 'ed', class: 'record', epoch: 'e1', from_seq: 2, to_seq: 2, bytes: 9, reason: 'ttl' },
      at: AT,
    },
  ],
  commands: [
    {
      ...{ place: 8, tenant: TENANT, id: 'c1', edge: 'ed', kind: 'reload', payload: JSON_TEXT, priority: 1 },
      ...{ state: 'queued', created_by: 'bob', created_at: AT, expires_at: AT + 1, attempts: 0 },
    },
  ],
  bundles: [
    {
      ...{ tenant: TENANT, edge: 'ed', version: 1, document: TRICKY, content_hash: HASH, signatures: '[]' },
      ...{ issued_at: AT, expires_at: AT + 1 },
    },
  ],
  bundle_acknowledgements: [{ tenant: TENANT, edge: 'ed', version: 1, state: 'applied', hash: HASH, at: AT }],
  audit_salts: [{ tenant: TENANT, version: 1, kek_id: 'k1', envelope: '{}', created_at: AT, erased_at: null }],
  audit_decisions: [{ tenant: TENANT, event_id: 'ev1', kind: 'policy', decided_at: AT, event: JSON_TEXT }],
  node_leases: [{ lease: 3, boot: 'boot-1', node: 'node-1', lease_until: AT, scanned_to: 100 }],
  audit_logs: [
    { log: 4, tenant: TENANT },
    { log: 6, tenant: 'gone' },
  ],
  // Of two logs in turns, as commits lay them.
  audit_entries: [
    entry({ place: 100, log: 4, seq: 0, text: '{"note":"\\u0000"}' }),
    entry({ place: 101, log: 6, seq: 0, text: '{"b":1,"a":2}' }),
    entry({ place: 102, log: 4, seq: 1, text: `{"text":${JSON.stringify(TRICKY)}}`, request_id: 'req-1', lease: 3 }),
    entry({ place: 103, log: 6, seq: 1, text: '{}', closes: 0 }),
  ],
  open_intents: [{ lease: 3, log: 4, seq: 1 }],
};

function admin(more: Row): Row {
  const rest = { role: 'owner', groups: '[]', token_key_id: 'k1', expires_at: null, revoked_at: null, created_at: AT };
  return { ...rest, ...more };
}

function claim(more: Row): Row {
  const scope = { tenant: TENANT, agent: 'coder', integration: 'github', fingerprint: HASH };
  return { ...scope, fence: 1, retry_allowed: 0, created_at: AT, expires_at: AT, resolution: JSON_TEXT, ...more };
}

function entry({ text = '{}', ...more }: Row): Row {
  return { request_key: null, request_id: null, lease: null, closes: null, ...more, entry: text };
}

/** Puts rows of a tenant of its own into every table of a migrated SQLite file, whatever else is in it. */
export function fillEveryTable(file: string): void {
  const database = new DatabaseSync(file, { enableForeignKeyConstraints: true });
  try {
    database.exec('begin');
    for (const [table, rows] of Object.entries(ROWS)) for (const row of rows) insert(database, table, row);
    database.exec('commit');
  } finally {
    database.close();
  }
}

function insert(database: DatabaseSync, table: string, row: Row): void {
  const names = Object.keys(row);
  const places = names.map(() => '?').join(', ');
  database.prepare(`insert into ${table} (${names.join(', ')}) values (${places})`).run(...Object.values(row));
}
