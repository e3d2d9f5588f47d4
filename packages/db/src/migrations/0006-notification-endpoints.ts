import type { Migration } from './migration.ts';

/**
 * Where each tenant's notifications go, and how that last went. `id` is what the outbox calls the endpoint: one that is removed and
 * made again under the same URL is another. `notices` remembers when a thing was told of that is not to be told of too often.
 */
export const notificationEndpoints: Migration = {
  number: 6,
  name: 'notification-endpoints',
  statements: ({ integerType: int, jsonType: json, tableEnding, clusteredTableEnding }) => [
    `create table notification_endpoints (
      tenant text not null references tenants (name),
      id text not null unique check (id <> ''),
      url text not null check (url <> ''),
      spec ${json} not null,
      origin text not null check (origin in ('config', 'api')),
      created_at ${int} not null,
      updated_at ${int} not null,
      delivered_at ${int},
      failed_at ${int},
      last_error text,
      primary key (tenant, url),
      check ((failed_at is null) = (last_error is null))
    ) ${tableEnding}`,
    `create table notices (
      tenant text not null check (tenant <> ''),
      subject text not null check (subject <> ''),
      told_at ${int} not null,
      primary key (tenant, subject)
    ) ${clusteredTableEnding}`,
  ],
};
