import { hostSchema } from '@postern/schemas';
import { requireCount, requireOneOf } from '../check.ts';
import { requirePlainText, requireUnique } from '../check-value.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import type { AdminSignupPolicyRow } from '../identity-tables.ts';
import { fromJsonColumn, namesParser, toJsonColumn } from '../json-column.ts';
import {
  type AdminAuthPort,
  type AdminSignupPolicy,
  DEFAULT_SIGNUP_POLICY,
  SIGNUP_MODES,
} from '../ports/admin-auth.ts';
import { DbError } from '../ports/db-error.ts';
import { impossibleRow, storedOneOf } from '../stored.ts';
import { inOneTransaction, pointsOf } from '../transaction.ts';
import type { RepositoryOptions } from './repository-options.ts';

type SignupPolicyPort = Pick<AdminAuthPort, 'getAdminSignupPolicy' | 'setAdminSignupPolicy'>;

const DOMAINS_MAX = 100;
const NAME_LENGTH_MAX = 200;

export function createAdminSignupPolicy(dbClient: DbClient, { now }: RepositoryOptions): SignupPolicyPort {
  return {
    async getAdminSignupPolicy(context) {
      const row = await pointsOf(dbClient, context, INSTANCE_SCOPE)
        .selectFrom('admin_signup_policy')
        .selectAll()
        .executeTakeFirst();
      return row === undefined ? DEFAULT_SIGNUP_POLICY : toSignupPolicy(row);
    },

    async setAdminSignupPolicy({ mode, allowedDomains }, { updatedBy, ifVersion }, context) {
      requireOneOf('admin_signup_policy.mode', mode, SIGNUP_MODES);
      requireDomains(mode, allowedDomains);
      requirePlainText('admin_signup_policy.updated_by', updatedBy, NAME_LENGTH_MAX);
      if (ifVersion !== undefined) requireCount('admin_signup_policy.version', ifVersion);
      return inOneTransaction(dbClient, context, async (scope) => {
        const kysely = scope.kysely(INSTANCE_SCOPE);
        const current = await kysely.selectFrom('admin_signup_policy').select('version').executeTakeFirst();
        const version = current?.version ?? 0;
        if (ifVersion !== undefined && ifVersion !== version) {
          throw new DbError('stale', 'admin_signup_policy.version has changed');
        }
        const changed = {
          mode,
          allowed_domains: toJsonColumn(allowedDomains),
          version: version + 1,
          updated_by: updatedBy,
          updated_at: now(),
        };
        const row = await kysely
          .insertInto('admin_signup_policy')
          .values({ id: 1, ...changed })
          .onConflict((conflict) =>
            conflict.column('id').doUpdateSet(changed).where('admin_signup_policy.version', '=', version),
          )
          .returningAll()
          .executeTakeFirst();
        if (row === undefined) throw new DbError('stale', 'admin_signup_policy.version has changed');
        return toSignupPolicy(row);
      });
    },
  };
}

function requireDomains(mode: AdminSignupPolicy['mode'], domains: readonly string[]): void {
  const column = 'admin_signup_policy.allowed_domains';
  if ((mode === 'allowed_domains') !== domains.length > 0) {
    throw new DbError('invalid', `${column} must be given with the mode allowed_domains, and with no other`);
  }
  if (domains.length > DOMAINS_MAX) throw new DbError('invalid', `${column} must have at most ${DOMAINS_MAX} items`);
  requireUnique(column, domains);
  for (const domain of domains) if (!isDomain(domain)) throw new DbError('invalid', `${column} must hold domain names`);
}

/** With a dot, and no address: `com` would let in everybody, and `localhost` nobody. */
function isDomain(text: string): boolean {
  return hostSchema.safeParse(text).success && /\.[a-z][a-z0-9-]*$/.test(text);
}

export function toSignupPolicy(row: AdminSignupPolicyRow): AdminSignupPolicy {
  const mode = storedOneOf('admin_signup_policy.mode', row.mode, SIGNUP_MODES);
  const allowedDomains = fromJsonColumn('admin_signup_policy.allowed_domains', row.allowed_domains, namesParser);
  if ((mode === 'allowed_domains') !== allowedDomains.length > 0) {
    throw impossibleRow('admin_signup_policy.allowed_domains', 'does not go with admin_signup_policy.mode');
  }
  return { mode, allowedDomains, version: row.version, updatedBy: row.updated_by, updatedAt: row.updated_at };
}
