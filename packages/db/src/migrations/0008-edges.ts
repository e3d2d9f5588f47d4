import type { EngineCapabilities } from '../client.ts';

/** The part of migration 8 that is of edges. */
export function edgeStatements(capabilities: EngineCapabilities): readonly string[] {
  return [...edgeRecordTables(capabilities), ...commandTables(capabilities), ...bundleTables(capabilities)];
}

/** Records lie in the order of their arrival; the unique key of a stream and number is what keeps a second delivery out. */
function edgeRecordTables({ integerType: int, countedKey, tableEnding }: EngineCapabilities) {
  const stream = `tenant text not null references tenants (name),
      edge text not null check (edge <> ''),
      class text not null check (class in ('audit', 'record', 'telemetry')),
      epoch text not null check (epoch <> '')`;
  return [
    `create table edge_cursors (
      ${stream},
      acked_through ${int} not null check (acked_through = delivered + missing),
      delivered ${int} not null check (delivered >= 0),
      missing ${int} not null check (missing >= 0),
      issued ${int} not null check (issued >= acked_through),
      updated_at ${int} not null,
      primary key (tenant, edge, class, epoch)
    ) ${tableEnding}`,
    `create table edge_records (
      place ${countedKey},
      ${stream},
      seq ${int} not null check (seq >= 1),
      table_name text not null check (table_name <> ''),
      priority ${int} not null check (priority between 1 and 5),
      at ${int} not null,
      body text not null,
      received_at ${int} not null,
      unique (tenant, edge, class, epoch, seq)
    ) ${tableEnding}`,
    `create index edge_records_by_tenant on edge_records (tenant, place)`,
    `create index edge_records_by_time on edge_records (class, received_at)`,
    `create table edge_gaps (
      ${stream},
      from_seq ${int} not null check (from_seq >= 1),
      to_seq ${int} not null check (to_seq >= from_seq),
      bytes ${int} not null check (bytes >= 0),
      reason text not null check (reason in ('quota', 'ttl', 'poison', 'storage', 'operator')),
      at ${int} not null,
      primary key (tenant, edge, class, epoch, from_seq)
    ) ${tableEnding}`,
  ];
}

function commandTables({ integerType: int, countedKey, jsonType: json, tableEnding }: EngineCapabilities) {
  const finals = `('succeeded', 'failed', 'rejected', 'cancelled', 'expired', 'unknown')`;
  return [
    `create table commands (
      place ${countedKey},
      tenant text not null references tenants (name),
      id text not null check (id <> ''),
      edge text not null check (edge <> ''),
      kind text not null check (kind <> ''),
      payload ${json} not null,
      priority ${int} not null check (priority between 1 and 5),
      state text not null check (state in ('queued', 'sent', 'received', 'running', 'succeeded', 'failed', 'rejected', 'cancelled', 'expired', 'unknown')),
      created_by text not null check (created_by <> ''),
      created_at ${int} not null,
      expires_at ${int} not null check (expires_at > created_at),
      attempts ${int} not null check (attempts >= 0),
      lease_until ${int} check ((lease_until is not null) = (state in ('sent', 'received', 'running'))),
      received_at ${int},
      progress ${json},
      finished_at ${int} check ((finished_at is not null) = (state in ${finals})),
      result ${json} check (result is null or state in ('succeeded', 'failed', 'rejected')),
      unique (tenant, id),
      check (state not in ('queued', 'cancelled', 'expired') or (attempts = 0 and received_at is null)),
      check (state not in ('received', 'running') or received_at is not null)
    ) ${tableEnding}`,
    `create index commands_open on commands (tenant, edge, priority, place) where finished_at is null`,
    `create index commands_ending on commands (expires_at) where finished_at is null`,
    `create index commands_by_tenant on commands (tenant, place)`,
    `create index commands_by_edge on commands (tenant, edge, place)`,
    `create index commands_over on commands (finished_at) where finished_at is not null`,
  ];
}

function bundleTables({ integerType: int, jsonType: json, tableEnding }: EngineCapabilities) {
  return [
    `create table bundles (
      tenant text not null references tenants (name),
      edge text not null check (edge <> ''),
      version ${int} not null check (version >= 1),
      document text not null check (document <> ''),
      content_hash text not null check (length(content_hash) = 64),
      signatures ${json} not null,
      issued_at ${int} not null,
      expires_at ${int} not null check (expires_at > issued_at),
      primary key (tenant, edge, version)
    ) ${tableEnding}`,
    `create index bundles_by_end on bundles (expires_at)`,
    `create table bundle_acknowledgements (
      tenant text not null,
      edge text not null,
      version ${int} not null,
      state text not null check (state in ('applied', 'failed', 'rolled_back')),
      hash text not null check (length(hash) = 64),
      at ${int} not null,
      error text,
      primary key (tenant, edge, version),
      foreign key (tenant, edge, version) references bundles (tenant, edge, version) on delete cascade
    ) ${tableEnding}`,
  ];
}
