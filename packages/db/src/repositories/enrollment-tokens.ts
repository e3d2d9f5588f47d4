import { requireCount, requireText, withReference } from '../check.ts';
import { requireHash, requirePlainText } from '../check-value.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import type { EnrollmentTokenRow } from '../identity-tables.ts';
import {
  ENROLLMENT_TOKEN_LIFE_MS,
  type EnrollmentTokenRecord,
  type EnrollmentTokensPort,
} from '../ports/enrollment-tokens.ts';
import { storedNothing } from '../stored.ts';
import { inOneTransaction } from '../transaction.ts';
import type { RepositoryOptions } from './repository-options.ts';

const NAME_LENGTH_MAX = 200;

export function createEnrollmentTokens(dbClient: DbClient, { newId }: RepositoryOptions): EnrollmentTokensPort {
  return {
    async issueEnrollmentToken({ tenant, agentId, tokenHash, issuedBy }, nowMs, context) {
      requireText('enrollment_tokens.tenant', tenant);
      requireText('enrollment_tokens.agent_id', agentId);
      requireHash('enrollment_tokens.token_hash', tokenHash);
      requirePlainText('enrollment_tokens.issued_by', issuedBy, NAME_LENGTH_MAX);
      requireCount('enrollment_tokens.issued_at', nowMs);
      const row: EnrollmentTokenRow = {
        tenant,
        id: newId(),
        agent_id: agentId,
        token_hash: tokenHash,
        issued_by: issuedBy,
        issued_at: nowMs,
        expires_at: nowMs + ENROLLMENT_TOKEN_LIFE_MS,
        consumed_at: null,
        voided_at: null,
      };
      return inOneTransaction(dbClient, context, async (scope) => {
        const kysely = scope.kysely(tenant);
        await kysely
          .updateTable('enrollment_tokens')
          .set({ voided_at: nowMs })
          .where('tenant', '=', tenant)
          .where('agent_id', '=', agentId)
          .where('consumed_at', 'is', null)
          .where('voided_at', 'is', null)
          .execute();
        await withReference('enrollment_tokens.agent_id', kysely.insertInto('enrollment_tokens').values(row).execute());
        return toEnrollmentToken(row, nowMs);
      });
    },

    async consumeEnrollmentTokenOnce(tokenHash, nowMs, context) {
      requireHash('enrollment_tokens.token_hash', tokenHash);
      requireCount('enrollment_tokens.consumed_at', nowMs);
      return inOneTransaction(dbClient, context, async (scope) => {
        const kysely = scope.kysely(INSTANCE_SCOPE);
        const consumed = await kysely
          .updateTable('enrollment_tokens')
          .set({ consumed_at: nowMs })
          .where('token_hash', '=', tokenHash)
          .where('consumed_at', 'is', null)
          .where('voided_at', 'is', null)
          .where('expires_at', '>', nowMs)
          .returningAll()
          .executeTakeFirst();
        if (consumed !== undefined) return { isConsumed: true, token: toEnrollmentToken(consumed, nowMs) };
        const query = kysely.selectFrom('enrollment_tokens').selectAll().where('token_hash', '=', tokenHash);
        const row = await query.executeTakeFirst();
        return { isConsumed: false, lost: row === undefined ? 'unknown' : lostAs(toEnrollmentToken(row, nowMs)) };
      });
    },

    sweep: (endedBefore, limit) => sweep(dbClient, endedBefore, limit),
  };
}

async function sweep(dbClient: DbClient, endedBefore: number, limit: number): Promise<number> {
  requireCount('enrollment_tokens.expires_at', endedBefore);
  const { numDeletedRows } = await dbClient
    .writes(INSTANCE_SCOPE)
    .deleteFrom('enrollment_tokens')
    .where('token_hash', 'in', (select) =>
      select
        .selectFrom('enrollment_tokens')
        .select('token_hash')
        .where('expires_at', '<', endedBefore)
        .orderBy('expires_at')
        .limit(limit),
    )
    .executeTakeFirst();
  return Number(numDeletedRows);
}

/** One that could not be consumed, and reads open, ended between two clocks. */
function lostAs({ state }: EnrollmentTokenRecord): 'expired' | 'consumed' | 'voided' {
  return state === 'open' ? 'expired' : state;
}

export function toEnrollmentToken(row: EnrollmentTokenRow, nowMs: number): EnrollmentTokenRecord {
  const token = {
    tenant: row.tenant,
    id: row.id,
    agentId: row.agent_id,
    tokenHash: row.token_hash,
    issuedBy: row.issued_by,
    issuedAt: row.issued_at,
    expiresAt: row.expires_at,
  };
  if (row.consumed_at !== null) {
    storedNothing('enrollment_tokens.voided_at', row.voided_at, 'consumed');
    return { ...token, state: 'consumed', consumedAt: row.consumed_at };
  }
  if (row.voided_at !== null) return { ...token, state: 'voided', voidedAt: row.voided_at };
  return { ...token, state: row.expires_at <= nowMs ? 'expired' : 'open' };
}
