/** How the rows of one table come into another database. */
export interface ImportedTable {
  readonly table: string;
  /** SQL that is true for the rows which a fresh database has: they give way to the source's. */
  readonly seeded?: string;
  /** The column that rows are read in the order of; absent where their order says nothing. */
  readonly orderedBy?: string;
}

/** Every table whose rows are brought over, referenced ones before those that refer to them. */
export const IMPORTED_TABLES: readonly ImportedTable[] = [
  { table: 'instance', seeded: 'id = 1 and revision = 0' },
  { table: 'instance_marks' },
  { table: 'tenants', seeded: "name = '*' and created_at = 0 and revision = 0" },
  { table: 'tenant_limits' },
  { table: 'admins' },
  { table: 'admin_signup_policy' },
  { table: 'admin_identities' },
  { table: 'admin_role_bindings' },
  { table: 'admin_access_requests' },
  { table: 'users' },
  { table: 'agents' },
  { table: 'agent_keys' },
  { table: 'agent_hosts' },
  { table: 'agent_san_uris' },
  { table: 'agent_certificates' },
  { table: 'enrollment_tokens' },
  { table: 'sessions' },
  { table: 'integrations' },
  { table: 'policy_rules' },
  { table: 'policy_settings' },
  { table: 'policy_versions' },
  { table: 'secrets' },
  { table: 'secret_versions' },
  { table: 'template_versions' },
  { table: 'template_invalidations' },
  { table: 'manifest_keysets' },
  { table: 'manifest_keys' },
  { table: 'crypto_verification_defaults' },
  { table: 'redaction_profiles' },
  { table: 'notification_endpoints' },
  { table: 'notices' },
  { table: 'disabled_endpoints' },
  { table: 'outbox', orderedBy: 'place' },
  { table: 'sealed_requests', orderedBy: 'place' },
  { table: 'sealed_chunks', orderedBy: 'chunk' },
  { table: 'stored_answers', orderedBy: 'answer' },
  { table: 'queued_calls', orderedBy: 'place' },
  { table: 'approvals' },
  { table: 'grants' },
  { table: 'claims', orderedBy: 'place' },
  { table: 'edge_cursors' },
  { table: 'edge_records', orderedBy: 'place' },
  { table: 'edge_gaps' },
  { table: 'commands', orderedBy: 'place' },
  { table: 'bundles' },
  { table: 'bundle_acknowledgements' },
  { table: 'audit_salts' },
  { table: 'audit_decisions' },
  { table: 'node_leases', orderedBy: 'lease' },
  { table: 'audit_logs', orderedBy: 'log' },
  // By place and not by seq: so the entries of each log come in the order of their seq too, and lie as they lay.
  { table: 'audit_entries', orderedBy: 'place' },
  { table: 'open_intents' },
];

/**
 * What is not brought over: the record of steps is the target's own, the nodes that lived on the source are not there, and the summaries of
 * the log are made anew from it.
 */
export const LEFT_TABLES: readonly string[] = [
  ...['schema_migrations', 'nodes', 'background_leases'],
  ...['audit_blocks', 'audit_block_terms', 'audit_spans', 'audit_span_terms', 'audit_era_terms'],
];
