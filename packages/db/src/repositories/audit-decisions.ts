import { isDeepStrictEqual } from 'node:util';
import type { EntryDraft } from '@postern/schemas';
import { requireCount, requireOneOf } from '../check.ts';
import { requireIntegerBetween, requirePlainText, toBoundedJson } from '../check-value.ts';
import { type DbClient, INSTANCE_SCOPE, type TransactionScope } from '../client.ts';
import { fromJsonColumn, guardParser } from '../json-column.ts';
import type { AuditDecisionRow } from '../key-tables.ts';
import type {
  AppendedDecision,
  AuditDecisionsPort,
  DecisionRecord,
  PolicyDecisionEvent,
  SsrfGuardDecisionEvent,
} from '../ports/audit-decisions.ts';
import { DbError } from '../ports/db-error.ts';
import { impossibleRow, storedOneOf } from '../stored.ts';
import { inOneTransaction, pointsOf } from '../transaction.ts';

const KINDS = ['policy', 'ssrf_guard'] as const;
const OUTCOMES = { policy: ['allow', 'deny', 'require_approval'], ssrf_guard: ['allow', 'deny'] } as const;
const EVENT_MEMBERS = {
  both: ['tenant', 'eventId', 'at', 'requestId', 'agent', 'integration', 'code', 'decision'],
  policy: ['action', 'method', 'url', 'rule', 'reason', 'policyVersion', 'fingerprint', 'risk'],
  ssrf_guard: ['host', 'port', 'addresses'],
} as const;
const [EVENT_ID_LENGTH_MAX, EVENT_BYTES_MAX, ADDRESSES_MAX] = [200, 65_536, 1_000];

export function createAuditDecisions(dbClient: DbClient): AuditDecisionsPort {
  return {
    async appendPolicyDecision(event, context) {
      requireEvent('policy', event);
      requireCall(event);
      return inOneTransaction(dbClient, context, (scope) => append(scope, { kind: 'policy', event }));
    },

    async appendSsrfGuardDecision(event, context) {
      requireEvent('ssrf_guard', event);
      requireTarget(event);
      return inOneTransaction(dbClient, context, (scope) => append(scope, { kind: 'ssrf_guard', event }));
    },

    async getDecision(tenant, eventId, context) {
      const row = await pointsOf(dbClient, context, tenant)
        .selectFrom('audit_decisions')
        .selectAll()
        .where('tenant', '=', tenant)
        .where('event_id', '=', eventId)
        .executeTakeFirst();
      return row && toDecision(row);
    },

    async sweepDecisions(before, limit) {
      requireCount('audit_decisions.decided_at', before);
      const { numDeletedRows } = await dbClient
        .writes(INSTANCE_SCOPE)
        .deleteFrom('audit_decisions')
        .where(({ eb, refTuple, selectFrom }) =>
          eb(
            refTuple('tenant', 'event_id'),
            'in',
            selectFrom('audit_decisions')
              .select(['tenant', 'event_id'])
              .where('decided_at', '<', before)
              .orderBy('decided_at')
              .limit(limit)
              .$asTuple('tenant', 'event_id'),
          ),
        )
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
  };
}

/** The row first: the unique key of the event id decides who is new, also between two that ask at once. */
async function append(scope: TransactionScope, record: DecisionRecord): Promise<AppendedDecision> {
  const { kind, event } = record;
  const { tenant, eventId } = event;
  const kysely = scope.kysely(tenant);
  const text = toBoundedJson('audit_decisions.event', membersOf(record), EVENT_BYTES_MAX);
  const row: AuditDecisionRow = { tenant, event_id: eventId, kind, decided_at: event.at, event: text };
  const { numInsertedOrUpdatedRows } = await kysely
    .insertInto('audit_decisions')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  if (numInsertedOrUpdatedRows === 1n) {
    if (event.decision !== 'deny') return { isNew: true };
    return { isNew: true, entry: await scope.appendEntry(draftOf(record)) };
  }
  const known = await kysely
    .selectFrom('audit_decisions')
    .selectAll()
    .where('tenant', '=', tenant)
    .where('event_id', '=', eventId)
    .executeTakeFirstOrThrow();
  if (!isDeepStrictEqual(toDecision(known), { kind, event: JSON.parse(text) })) {
    throw new DbError('conflict', 'audit_decisions.event of that audit_decisions.event_id is another');
  }
  return { isNew: false };
}

function draftOf({ kind, event }: DecisionRecord): EntryDraft {
  const { tenant, at, requestId, agent, integration, code } = event;
  const common = {
    at,
    tenant,
    decision: 'deny' as const,
    ...(requestId === undefined ? {} : { requestId }),
    ...(agent === undefined ? {} : { agent }),
    ...(integration === undefined ? {} : { integration }),
    ...(code === undefined ? {} : { code }),
  };
  if (kind === 'ssrf_guard') {
    const { host, port, addresses } = event;
    return { ...common, type: 'ssrf.denied', subject: `target:${host}:${port}`, addresses };
  }
  const { action, method, url, rule, reason, policyVersion, fingerprint, risk } = event;
  return {
    ...common,
    type: 'denied',
    ...(action === undefined ? {} : { action }),
    ...(method === undefined ? {} : { method }),
    ...(url === undefined ? {} : { url }),
    ...(rule === undefined ? {} : { rule }),
    ...(reason === undefined ? {} : { reason }),
    ...(policyVersion === undefined ? {} : { policyVersion }),
    ...(fingerprint === undefined ? {} : { fingerprint }),
    ...(risk === undefined ? {} : { risk }),
  };
}

type DecisionEvent = PolicyDecisionEvent | SsrfGuardDecisionEvent;

function requireEvent(kind: DecisionRecord['kind'], { tenant, eventId, at, decision }: DecisionEvent): void {
  requirePlainText('audit_decisions.tenant', tenant, EVENT_ID_LENGTH_MAX);
  requirePlainText('audit_decisions.event_id', eventId, EVENT_ID_LENGTH_MAX);
  requireCount('audit_decisions.decided_at', at);
  requireOneOf('audit_decisions.event decision', decision, OUTCOMES[kind]);
}

function requireCall({ url, risk }: PolicyDecisionEvent): void {
  if (url?.includes('?')) throw new DbError('invalid', 'audit_decisions.event url must have no query');
  if (risk !== undefined && !(risk.score >= 0 && risk.score <= 1)) {
    throw new DbError('invalid', 'audit_decisions.event risk score must be a number from 0 to 1');
  }
}

function requireTarget({ host, port, addresses }: SsrfGuardDecisionEvent): void {
  requirePlainText('audit_decisions.event host', host, 255);
  requireIntegerBetween('audit_decisions.event port', port, 1, 65_535);
  requireIntegerBetween('audit_decisions.event addresses: their number', addresses.length, 0, ADDRESSES_MAX);
  for (const address of addresses) requirePlainText('audit_decisions.event addresses', address, 64);
}

/** What an event has and nothing that came along with it. */
function membersOf({ kind, event }: DecisionRecord): object {
  const names: readonly string[] = [...EVENT_MEMBERS.both, ...EVENT_MEMBERS[kind]];
  return Object.fromEntries(Object.entries(event).filter(([name]) => names.includes(name)));
}

function isEvent(value: unknown): value is DecisionEvent {
  return typeof value === 'object' && value !== null && 'tenant' in value && 'eventId' in value && 'decision' in value;
}

const eventParser = guardParser(isEvent);

export function toDecision(row: AuditDecisionRow): DecisionRecord {
  const kind = storedOneOf('audit_decisions.kind', row.kind, KINDS);
  const event = fromJsonColumn('audit_decisions.event', row.event, eventParser);
  if (event.tenant !== row.tenant || event.eventId !== row.event_id || event.at !== row.decided_at) {
    throw impossibleRow('audit_decisions.event', 'is not of its audit_decisions.event_id');
  }
  if ((OUTCOMES[kind] as readonly string[]).includes(event.decision) && 'host' in event === (kind === 'ssrf_guard')) {
    return { kind, event } as DecisionRecord;
  }
  throw impossibleRow('audit_decisions.event', 'does not go with audit_decisions.kind');
}
