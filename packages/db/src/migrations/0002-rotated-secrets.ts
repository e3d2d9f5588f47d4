import type { Migration } from './migration.ts';

/** The version, written by a person or a document, that a version descends from which a token endpoint gave; null: it is such a one itself. */
export const rotatedSecrets: Migration = {
  number: 2,
  name: 'rotated-secrets',
  statements: ({ integerType: int }) => [
    `alter table secret_versions add column rotated_from ${int} check (rotated_from is null or rotated_from >= 1)`,
  ],
};
