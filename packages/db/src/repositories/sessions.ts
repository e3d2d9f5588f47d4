import { KEY_SCOPES, type KeyScope } from '@postern/schemas';
import type { Kysely } from 'kysely';
import { requireCount, requireOneOf, requireText, withReference } from '../check.ts';
import { requireHash, requireUnique } from '../check-value.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import type { SessionRow } from '../identity-tables.ts';
import { fromJsonColumn, textListParser, toJsonColumn } from '../json-column.ts';
import { DbError } from '../ports/db-error.ts';
import { type NewSession, SESSION_LIFE_MS, type SessionRecord, type SessionsPort } from '../ports/sessions.ts';
import type { Tables } from '../tables.ts';
import { inOneTransaction, pointsOf, writesOf } from '../transaction.ts';

/** RFC 7638 with SHA-256: 32 bytes as base64url. */
const THUMBPRINT = /^[A-Za-z0-9_-]{43}$/;

export function createSessions(dbClient: DbClient): SessionsPort {
  return {
    async upsertSession(session, nowMs, context) {
      requireSession(session, nowMs);
      const { tenant, id } = session;
      return inOneTransaction(dbClient, context, async (scope) => {
        const kysely = scope.kysely(tenant);
        await requireCertificateInForce(kysely, session);
        const known = await selectSession(kysely, tenant, id).executeTakeFirst();
        const row = known === undefined ? toRow(session, nowMs) : renewed(known, session);
        const { token_hash, scopes, expires_at } = row;
        const writing = kysely
          .insertInto('sessions')
          .values(row)
          .onConflict((conflict) =>
            conflict
              .columns(['tenant', 'id'])
              .doUpdateSet({ token_hash, scopes, expires_at })
              .where('sessions.revoked_at', 'is', null),
          )
          .returningAll()
          .executeTakeFirst();
        const stored = await withReference('sessions.agent_id', writing);
        if (stored === undefined) throw revoked();
        return toSession(stored, nowMs);
      });
    },

    async getSessionByTokenHash(tokenHash, nowMs, context) {
      requireHash('sessions.token_hash', tokenHash);
      const row = await pointsOf(dbClient, context, INSTANCE_SCOPE)
        .selectFrom('sessions')
        .selectAll()
        .where('token_hash', '=', tokenHash)
        .executeTakeFirst();
      return row && toSession(row, nowMs);
    },

    async revokeSessionById(tenant, id, at, context) {
      requireCount('sessions.revoked_at', at);
      const { numUpdatedRows } = await writesOf(dbClient, context, tenant)
        .updateTable('sessions')
        .set({ revoked_at: at })
        .where('tenant', '=', tenant)
        .where('id', '=', id)
        .where('revoked_at', 'is', null)
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },

    async deleteExpiredSessions(expiredBefore, limit) {
      requireCount('sessions.expires_at', expiredBefore);
      const { numDeletedRows } = await dbClient
        .writes(INSTANCE_SCOPE)
        .deleteFrom('sessions')
        .where('token_hash', 'in', (select) =>
          select
            .selectFrom('sessions')
            .select('token_hash')
            .where('expires_at', '<=', expiredBefore)
            .orderBy('expires_at')
            .limit(limit),
        )
        // A session that was renewed meanwhile has another token.
        .where('expires_at', '<=', expiredBefore)
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
  };
}

function selectSession(kysely: Kysely<Tables>, tenant: string, id: string) {
  return kysely.selectFrom('sessions').selectAll().where('tenant', '=', tenant).where('id', '=', id);
}

/** Looked at in the same transaction as a revocation would be, so that none slips between. An outside authority's is not known here. */
async function requireCertificateInForce(kysely: Kysely<Tables>, session: NewSession): Promise<void> {
  const { tenant, agentId, certificateFingerprint } = session;
  const certificate = await kysely
    .selectFrom('agent_certificates')
    .select(['agent_id', 'revoked_at'])
    .where('tenant', '=', tenant)
    .where('fingerprint', '=', certificateFingerprint)
    .executeTakeFirst();
  if (certificate === undefined) return;
  if (certificate.agent_id !== agentId) {
    throw new DbError('invalid', "sessions.certificate_fingerprint is another agent's");
  }
  if (certificate.revoked_at !== null) throw new DbError('stale', 'agent_certificates.revoked_at: it is revoked');
}

function renewed(known: SessionRow, session: NewSession): SessionRow {
  if (known.revoked_at !== null) throw revoked();
  const isSame =
    known.agent_id === session.agentId &&
    known.certificate_fingerprint === session.certificateFingerprint &&
    known.dpop_thumbprint === (session.dpopThumbprint ?? null);
  if (!isSame) throw new DbError('conflict', 'sessions: agent, certificate and thumbprint of a session do not change');
  return { ...toRow(session, known.created_at), revoked_at: null };
}

function revoked(): DbError {
  return new DbError('stale', 'sessions.revoked_at: it is revoked');
}

function requireSession(session: NewSession, nowMs: number): void {
  requireText('sessions.tenant', session.tenant);
  requireText('sessions.id', session.id);
  requireText('sessions.agent_id', session.agentId);
  requireHash('sessions.token_hash', session.tokenHash);
  requireHash('sessions.certificate_fingerprint', session.certificateFingerprint);
  if (session.dpopThumbprint !== undefined && !THUMBPRINT.test(session.dpopThumbprint)) {
    throw new DbError('invalid', 'sessions.dpop_thumbprint must be the base64url of a SHA-256');
  }
  for (const scope of session.scopes) requireOneOf('sessions.scopes', scope, KEY_SCOPES);
  requireUnique('sessions.scopes', session.scopes);
  requireCount('sessions.created_at', nowMs);
  requireCount('sessions.expires_at', session.expiresAt);
  const lifeMs = session.expiresAt - nowMs;
  if (lifeMs < SESSION_LIFE_MS.min || lifeMs > SESSION_LIFE_MS.max) {
    throw new DbError('invalid', 'sessions.expires_at must lie 60 to 3600 seconds ahead');
  }
}

function toRow(session: NewSession, createdAt: number): SessionRow {
  return {
    tenant: session.tenant,
    id: session.id,
    agent_id: session.agentId,
    token_hash: session.tokenHash,
    certificate_fingerprint: session.certificateFingerprint,
    dpop_thumbprint: session.dpopThumbprint ?? null,
    scopes: toJsonColumn(session.scopes),
    created_at: createdAt,
    expires_at: session.expiresAt,
    revoked_at: null,
  };
}

const scopesParser = textListParser((text): text is KeyScope => (KEY_SCOPES as readonly string[]).includes(text));

export function toSession(row: SessionRow, nowMs: number): SessionRecord {
  const session = {
    tenant: row.tenant,
    id: row.id,
    agentId: row.agent_id,
    tokenHash: row.token_hash,
    certificateFingerprint: row.certificate_fingerprint,
    ...(row.dpop_thumbprint === null ? {} : { dpopThumbprint: row.dpop_thumbprint }),
    scopes: fromJsonColumn('sessions.scopes', row.scopes, scopesParser),
    createdAt: row.created_at,
    expiresAt: row.expires_at,
  };
  if (row.revoked_at !== null) return { ...session, state: 'revoked', revokedAt: row.revoked_at };
  return { ...session, state: row.expires_at <= nowMs ? 'expired' : 'active' };
}
