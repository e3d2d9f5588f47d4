import type { Kysely } from 'kysely';
import { requireCount, requireText, withReference } from '../check.ts';
import { requireHash, requireOptionalText, requirePlainText } from '../check-value.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import type { AgentCertificateRow } from '../identity-tables.ts';
import { newestFirst } from '../newest-first.ts';
import { timePosition, toPage } from '../page.ts';
import {
  type AgentCertificateRecord,
  type AgentCertificatesPort,
  CERTIFICATE_LIFE_MS_MAX,
  type NewAgentCertificate,
} from '../ports/agent-certificates.ts';
import { DbError } from '../ports/db-error.ts';
import { storedNothing, storedValue } from '../stored.ts';
import type { Tables } from '../tables.ts';
import { inOneTransaction, listsOf, pointsOf } from '../transaction.ts';
import type { RepositoryOptions } from './repository-options.ts';

type CertificatesPort = Pick<
  AgentCertificatesPort,
  'issueCertificate' | 'findCertificate' | 'listCertificates' | 'revokeCertificate'
>;

const LIST = 'agent_certificates';
/** RFC 5280 section 4.1.2.2: at most 20 octets. */
const SERIAL = /^[0-9a-f]{1,40}$/;
const [NAME_LENGTH_MAX, REASON_LENGTH_MAX] = [200, 1_000];

export function createAgentCertificates(dbClient: DbClient, { now }: RepositoryOptions): CertificatesPort {
  return {
    async issueCertificate(certificate, context) {
      requireCertificate(certificate);
      const { tenant, agentId, sanUri } = certificate;
      return inOneTransaction(dbClient, context, async (scope) => {
        const kysely = scope.kysely(tenant);
        await requireSanUri(kysely, { tenant, agentId, sanUri });
        const row: AgentCertificateRow = {
          tenant,
          serial: certificate.serial,
          agent_id: agentId,
          fingerprint: certificate.fingerprint,
          san_uri: sanUri,
          not_before: certificate.notBefore,
          not_after: certificate.notAfter,
          created_at: now(),
          revoked_at: null,
          revoked_by: null,
          revocation_reason: null,
        };
        const inserting = kysely.insertInto('agent_certificates').values(row).execute();
        await withReference('agent_certificates.tenant', inserting);
        return toCertificate(row);
      });
    },

    async findCertificate(fingerprint, context) {
      const row = await pointsOf(dbClient, context, INSTANCE_SCOPE)
        .selectFrom('agent_certificates')
        .selectAll()
        .where('fingerprint', '=', fingerprint)
        .executeTakeFirst();
      return row && toCertificate(row);
    },

    async listCertificates(tenant, { agentId }, page, context) {
      let query = listsOf(dbClient, context, tenant)
        .selectFrom('agent_certificates')
        .selectAll()
        .where('tenant', '=', tenant);
      if (agentId !== undefined) query = query.where('agent_id', '=', agentId);
      const rows = await newestFirst(query, LIST, page, { time: 'created_at', id: 'serial' }).execute();
      return toPage(rows, page.limit, LIST, {
        item: toCertificate,
        position: (row) => timePosition({ created_at: row.created_at, id: row.serial }),
      });
    },

    async revokeCertificate(tenant, serial, { at, by, reason }, context) {
      requireCount('agent_certificates.revoked_at', at);
      requirePlainText('agent_certificates.revoked_by', by, NAME_LENGTH_MAX);
      requireOptionalText('agent_certificates.revocation_reason', reason, REASON_LENGTH_MAX);
      return inOneTransaction(dbClient, context, async (scope) => {
        const kysely = scope.kysely(tenant);
        const revoked = await kysely
          .updateTable('agent_certificates')
          .set({ revoked_at: at, revoked_by: by, revocation_reason: reason ?? null })
          .where('tenant', '=', tenant)
          .where('serial', '=', serial)
          .where('revoked_at', 'is', null)
          .returning('fingerprint')
          .executeTakeFirst();
        if (revoked === undefined) return false;
        await endSessions(kysely, { tenant, fingerprint: revoked.fingerprint, at });
        return true;
      });
    },
  };
}

async function endSessions(
  kysely: Kysely<Tables>,
  { tenant, fingerprint, at }: { tenant: string; fingerprint: string; at: number },
): Promise<void> {
  await kysely
    .updateTable('sessions')
    .set({ revoked_at: at })
    .where('tenant', '=', tenant)
    .where('certificate_fingerprint', '=', fingerprint)
    .where('revoked_at', 'is', null)
    .execute();
}

function requireCertificate({ tenant, agentId, serial, fingerprint, notBefore, notAfter }: NewAgentCertificate): void {
  requireText('agent_certificates.tenant', tenant);
  requireText('agent_certificates.agent_id', agentId);
  if (!SERIAL.test(serial)) {
    throw new DbError('invalid', 'agent_certificates.serial must be 1 to 40 digits of lower-case hex');
  }
  requireHash('agent_certificates.fingerprint', fingerprint);
  requireCount('agent_certificates.not_before', notBefore);
  requireCount('agent_certificates.not_after', notAfter);
  if (notAfter <= notBefore || notAfter - notBefore > CERTIFICATE_LIFE_MS_MAX) {
    throw new DbError(
      'invalid',
      'agent_certificates.not_after must lie within 30 days after agent_certificates.not_before',
    );
  }
}

/** A certificate for a URI that is not its agent's would let the agent in as another one. */
async function requireSanUri(
  kysely: Kysely<Tables>,
  { tenant, agentId, sanUri }: { tenant: string; agentId: string; sanUri: string },
): Promise<void> {
  const row = await kysely
    .selectFrom('agents')
    .leftJoin('agent_san_uris', (join) =>
      join.onRef('agent_san_uris.tenant', '=', 'agents.tenant').onRef('agent_san_uris.agent_id', '=', 'agents.id'),
    )
    .select('agent_san_uris.san_uri')
    .where('agents.tenant', '=', tenant)
    .where('agents.id', '=', agentId)
    .executeTakeFirst();
  if (row === undefined) throw new DbError('not_found', 'no such agent in that tenant');
  if (row.san_uri !== sanUri) throw new DbError('invalid', "agent_certificates.san_uri is not the agent's");
}

export function toCertificate(row: AgentCertificateRow): AgentCertificateRecord {
  return {
    tenant: row.tenant,
    agentId: row.agent_id,
    serial: row.serial,
    fingerprint: row.fingerprint,
    sanUri: row.san_uri,
    notBefore: row.not_before,
    notAfter: row.not_after,
    createdAt: row.created_at,
    ...revocationOf(row),
  };
}

function revocationOf(row: AgentCertificateRow): Pick<AgentCertificateRecord, 'revoked'> {
  if (row.revoked_at === null) {
    storedNothing('agent_certificates.revoked_by', row.revoked_by, 'not revoked');
    storedNothing('agent_certificates.revocation_reason', row.revocation_reason, 'not revoked');
    return {};
  }
  const by = storedValue('agent_certificates.revoked_by', row.revoked_by, 'revoked');
  const reason = row.revocation_reason === null ? {} : { reason: row.revocation_reason };
  return { revoked: { at: row.revoked_at, by, ...reason } };
}
