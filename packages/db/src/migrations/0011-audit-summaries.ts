import type { Migration } from './migration.ts';

/**
 * What audit queries are spared by: which values stand where in a log, for blocks of 1,024 consecutive entries, spans of 32 blocks and eras of
 * 32 spans (`audit-terms.ts`). Made in the background from the entries and never needed for an answer to be right, so no commit of a call
 * touches any of this, and any row may be deleted at any time.
 *
 * Beside that: indexes of what lists would read a whole table for.
 *
 * Rows of blocks lie in the order of their making. Those of spans and eras lie by bucket first: what a query for one value reads of all of
 * them lies together.
 */
export const auditSummaries: Migration = {
  number: 11,
  name: 'audit-summaries',
  statements: ({ integerType: int, bytesType: bytes, clusteredTableEnding, rowSecurity, jsonMember }) => [
    `create table audit_blocks (
      log ${int} not null,
      block ${int} not null check (block >= 0),
      at_min ${int},
      at_max ${int},
      primary key (log, block),
      check ((at_min is null) = (at_max is null))
    ) ${clusteredTableEnding}`,
    `create table audit_block_terms (
      log ${int} not null,
      block ${int} not null,
      field ${int} not null,
      terms ${bytes} not null,
      primary key (log, block, field)
    ) ${clusteredTableEnding}`,
    `create table audit_spans (
      log ${int} not null,
      span ${int} not null check (span >= 0),
      at_min ${int},
      at_max ${int},
      primary key (log, span),
      check ((at_min is null) = (at_max is null))
    ) ${clusteredTableEnding}`,
    `create table audit_span_terms (
      log ${int} not null,
      bucket ${int} not null,
      span ${int} not null,
      untold ${int} not null,
      terms ${bytes} not null,
      primary key (log, bucket, span)
    ) ${clusteredTableEnding}`,
    `create table audit_era_terms (
      log ${int} not null,
      bucket ${int} not null,
      era ${int} not null check (era >= 0),
      untold ${int} not null,
      terms ${bytes} not null,
      primary key (log, bucket, era)
    ) ${clusteredTableEnding}`,
    ...['audit_blocks', 'audit_block_terms', 'audit_spans', 'audit_span_terms', 'audit_era_terms'].flatMap((table) =>
      rowSecurity(table, (tenant) => `log = (select l.log from audit_logs l where l.tenant = ${tenant})`),
    ),
    `create index grants_by_agent on grants (tenant, agent, created_at, id)`,
    `create index grants_by_end on grants (tenant, expires_at)`,
    `create index integrations_listening on integrations (tenant, name) where ${jsonMember('spec', 'listen')} is not null`,
  ],
};
