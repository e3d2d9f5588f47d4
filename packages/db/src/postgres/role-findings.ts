import { sql } from 'kysely';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';

export type RoleFindingCode = 'superuser' | 'bypasses_row_security' | 'owns_tables' | 'commits_before_disk';

export interface RoleFinding {
  readonly code: RoleFindingCode;
  /** One sentence: what is so, and what follows. */
  readonly message: string;
}

const MESSAGES: Readonly<Record<RoleFindingCode, string>> = {
  superuser: 'The role of the database URL is a superuser, for whom row security does not hold: use a plain role.',
  bypasses_row_security: 'The role of the database URL has BYPASSRLS, so row security does not hold: use a plain role.',
  owns_tables:
    'The role of the database URL owns the tables, so it could take row security away: let `postern migrate` run as their owner, and Postern as a role that owns nothing.',
  commits_before_disk:
    'synchronous_commit is off: the server answers before an audit entry is on its disk, and a crash of the server loses calls that were sent.',
};

/** What of the connected role and its settings weakens what Postern promises. Nothing on SQLite, which knows no roles. */
export async function roleFindings(dbClient: DbClient): Promise<readonly RoleFinding[]> {
  if (dbClient.capabilities.rowSecurity('instance', () => 'true').length === 0) return [];
  const { rows } = await sql<Readonly<Record<RoleFindingCode, boolean>>>`
    select r.rolsuper as superuser, r.rolbypassrls as bypasses_row_security,
      current_setting('synchronous_commit') = 'off' as commits_before_disk,
      exists (select 1 from pg_class c where c.oid = to_regclass('audit_entries') and pg_has_role(c.relowner, 'usage'))
        as owns_tables
    from pg_roles r where r.rolname = current_user`.execute(dbClient.points(INSTANCE_SCOPE));
  const [role] = rows;
  const codes = (Object.keys(MESSAGES) as RoleFindingCode[]).filter((code) => role === undefined || role[code]);
  // Whoever may do anything also owns everything.
  const told = codes.includes('superuser')
    ? codes.filter((code) => code === 'superuser' || code === 'commits_before_disk')
    : codes;
  return told.map((code) => ({ code, message: MESSAGES[code] }));
}

/**
 * What the owner of the tables runs so that Postern can work as `role`: statements for one database, each for itself. They may be run
 * again, and hold for tables that later migrations of the same owner make.
 */
export function grantTo(role: string, schema = 'public'): readonly string[] {
  const [name, place] = [quoteName(role), quoteName(schema)];
  const rights = 'select, insert, update, delete';
  return [
    `grant usage on schema ${place} to ${name}`,
    `grant ${rights} on all tables in schema ${place} to ${name}`,
    `grant usage on all sequences in schema ${place} to ${name}`,
    `alter default privileges in schema ${place} grant ${rights} on tables to ${name}`,
    `alter default privileges in schema ${place} grant usage on sequences to ${name}`,
    `revoke insert, update, delete on ${place}.schema_migrations from ${name}`,
  ];
}

function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
