import type { Migration } from './migration.ts';

/**
 * Versions of each tenant's own templates. `spec` is text on every engine, for its bytes are what the hash is of. A row is never changed
 * but for `active` and `origin`, and never deleted: what calls were judged by stays on record.
 */
export const templateVersions: Migration = {
  number: 4,
  name: 'template-versions',
  statements: ({ integerType: int, tableEnding }) => [
    `create table template_versions (
      tenant text not null references tenants (name),
      name text not null check (name <> ''),
      version ${int} not null check (version >= 1),
      spec text not null check (spec <> ''),
      content_hash text not null check (length(content_hash) = 64),
      origin text not null check (origin in ('config', 'api')),
      active ${int} not null check (active in (0, 1)),
      created_at ${int} not null,
      primary key (tenant, name, version)
    ) ${tableEnding}`,
  ],
};
