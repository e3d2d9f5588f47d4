/**
 * Who may import whom (ARCHITECTURE, section 2). A package that is missing here fails the check: a new one states its place.
 * Names are folders below `packages/`; apps may import every package and each other.
 */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  schemas: [],
  'ssrf-guard': [],
  testing: [],
  'proxy-runtime': ['ssrf-guard'],
  canonicalizer: ['schemas'],
  policy: ['schemas'],
  audit: ['schemas'],
  vault: ['schemas'],
  client: ['schemas'],
  interceptor: ['schemas', 'client'],
  templates: ['schemas', 'canonicalizer', 'policy'],
  // The port types know the shared language alone (see PORTS_MAY_IMPORT); the adapters beside them encode entries and run windows.
  db: ['schemas', 'audit', 'policy'],
  approvals: ['schemas', 'canonicalizer', 'policy', 'audit', 'vault', 'ssrf-guard', 'proxy-runtime', 'db'],
  credentials: ['schemas', 'canonicalizer', 'policy', 'audit', 'vault', 'ssrf-guard', 'proxy-runtime'],
  auth: ['schemas', 'canonicalizer', 'policy', 'audit', 'vault', 'ssrf-guard', 'proxy-runtime', 'db'],
  gateway: [
    ...['schemas', 'canonicalizer', 'policy', 'audit', 'vault', 'ssrf-guard', 'proxy-runtime', 'db'],
    ...['approvals', 'credentials', 'auth', 'templates'],
  ],
  admin: [
    ...['schemas', 'canonicalizer', 'policy', 'audit', 'vault', 'ssrf-guard', 'proxy-runtime', 'db'],
    ...['approvals', 'credentials', 'auth', 'templates'],
  ],
  mcp: [
    ...['schemas', 'canonicalizer', 'policy', 'audit', 'vault', 'ssrf-guard', 'proxy-runtime', 'db'],
    ...['approvals', 'credentials', 'auth'],
  ],
  edge: [
    ...['schemas', 'canonicalizer', 'policy', 'audit', 'vault', 'ssrf-guard', 'proxy-runtime', 'db'],
    ...['approvals', 'credentials', 'auth', 'client'],
  ],
};

/** No `node:` module but `node:crypto`: they decide, encode and compute, and can be tested and proved without a machine. */
export const PURE_PACKAGES = new Set([
  'schemas',
  'canonicalizer',
  'policy',
  'audit',
  'vault',
  'credentials',
  'templates',
  'approvals',
]);
export const PURE_MAY_IMPORT = new Set(['node:crypto']);

/** What files below `packages/db/src/ports/` may import of the workspace. */
export const PORTS_MAY_IMPORT = new Set(['schemas']);

/** Packages that see stores as port types only are all but `db` itself; these clients belong to the adapters. */
export const STORE_CLIENTS = new Set(['node:sqlite', 'pg', 'ioredis', 'kysely', 'better-sqlite3']);

/** The one file of an app where adapters and clients are created. */
export const COMPOSE_FILE = /^apps\/[^/]+\/(src\/)?(compose|open-stores|open-redis)\.ts$/;

/** Only tests import these. */
export const TEST_ONLY = new Set(['vitest', 'fast-check', '@postern/testing']);

/** Re-export statements, however many lines the formatter gives them. */
export const INDEX_STATEMENTS_MAX = 29;
