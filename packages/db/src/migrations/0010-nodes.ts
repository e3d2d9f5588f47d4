import type { Migration } from './migration.ts';

/**
 * Of several nodes on one store: which there are, who does the work in the background, and on what they must agree. Nothing of a tenant
 * lies here.
 */
export const nodes: Migration = {
  number: 10,
  name: 'nodes',
  statements: ({ integerType: int, jsonType: json, tableEnding, clusteredTableEnding }) => [
    `create table nodes (
      node text not null primary key check (node <> ''),
      boot text not null check (boot <> ''),
      version text not null,
      key_ids ${json} not null,
      has_redis ${int} not null check (has_redis in (0, 1)),
      started_at ${int} not null,
      seen_at ${int} not null,
      alive_until ${int} not null,
      clock_ahead_ms ${int} not null
    ) ${tableEnding}`,
    `create table background_leases (
      name text not null primary key check (name <> ''),
      node text not null check (node <> ''),
      boot text not null check (boot <> ''),
      held_until ${int} not null
    ) ${clusteredTableEnding}`,
    `create table instance_marks (
      name text not null primary key check (name <> ''),
      value text not null check (value <> '')
    ) ${clusteredTableEnding}`,
  ],
};
