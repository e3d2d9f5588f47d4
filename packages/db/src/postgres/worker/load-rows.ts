import { DbError } from '../../ports/db-error.ts';
import type { Answer, Statement } from '../statement-batch.ts';
import { plain } from '../tenant-statements.ts';
import { LOCK_TOGETHER } from '../write-lock.ts';
import type { Names } from './batch-names.ts';
import type { ClaimRead } from './claim-list.ts';
import type { ApprovalRead, GrantRead } from './grant-list.ts';
import { isStorable, longList, textList } from './list-literals.ts';
import type { LoadedRows } from './loaded-rows.ts';
import type { Session } from './session.ts';

const FIND_LOGS = 'select log, tenant from audit_logs where tenant = any($1::text[])';
const MAKE_LOGS = 'insert into audit_logs (tenant) select * from unnest($1::text[]) on conflict (tenant) do nothing';

/** Whoever would take the lease from us waits for the end of the transaction, and we for the end of his. */
const LOCK_LEASE = 'select lease, boot, lease_until as until from node_leases where lease = $1 for update';
const LOCK_LOGS = 'select log from audit_logs where log = any($1::int8[]) order by log for update';
/** A statement of its own, after the locks: so it sees what they were waited for. */
const READ_ENDS = `select l.log, l.tenant, (select max(e.seq) from audit_entries e where e.log = l.log) as newest
  from audit_logs l where l.log = any($1::int8[])`;
const NEW_LEASE = `select nextval(pg_get_serial_sequence('node_leases', 'lease')) as number`;

const READ_CLAIMS = `select c.place, c.tenant, c.agent, c.integration, c.key, c.fence, c.state, c.fingerprint, c.lease, c.request_id,
    c.approval_id, c.answer, c.retry_allowed, c.created_at, c.expires_at, l.lease_until, p.status as approval_status,
    case p.status when 'pending' then p.expires_at when 'approved' then p.execute_until end as approval_ends_at
  from claims c
  left join node_leases l on l.lease = c.lease
  left join approvals p on c.state = 'awaiting_approval' and p.tenant = c.tenant and p.id = c.approval_id`;
const NAMED_CLAIMS = `${READ_CLAIMS}
  where c.place in (
    select place from unnest($1::int8[]) as place
    union all select k.place from json_to_recordset($2) as v (tenant text, agent text, integration text, key text)
      join claims k on k.tenant = v.tenant and k.agent = v.agent and k.integration = v.integration and k.key = v.key)
  order by c.place for update of c`;
const ABANDONED_CLAIMS = `${READ_CLAIMS}
  where c.request_id = any($1::text[]) and c.state = 'dispatching' order by c.place for update of c`;
const NEW_PLACES = `select nextval(pg_get_serial_sequence('claims', 'place')) as number from generate_series(1, $1)`;
const NEW_ANSWERS = `select nextval(pg_get_serial_sequence('stored_answers', 'answer')) as number from generate_series(1, $1)`;

const NAMED_GRANTS = `select g.tenant, g.id, g.agent, g.kind, g.fingerprint, g.integration, g.action, g.method, g.uses_left,
    g.expires_at as grant_ends_at, g.revoked_at, g.approval_id,
    p.fingerprint as asked_fingerprint, p.status, p.expires_at, p.execute_until, p.executed_by, p.lease, l.lease_until
  from json_to_recordset($1) as v (tenant text, id text)
  join grants g on g.tenant = v.tenant and g.id = v.id
  join approvals p on p.tenant = g.tenant and p.id = g.approval_id
  left join node_leases l on l.lease = p.lease
  order by g.tenant, g.id for update of g, p`;
const ABANDONED_APPROVALS = `select tenant, id, status, expires_at, execute_until, fingerprint as asked_fingerprint, executed_by, lease,
    null::bigint as lease_until
  from approvals where executed_by = any($1::text[]) and status = 'executing' order by tenant, id for update`;

/** A tenant's name that an index can hold. */
const TENANT_BYTES_MAX = 1_000;

/** All keep this order of locks: writers, leases, logs, claims, grants. */
export const BEGIN: readonly Statement[] = [plain('begin isolation level read committed'), plain(LOCK_TOGETHER)];

/**
 * Makes logs for tenants that have none, each for itself and not in the transaction that needs it: a log may be empty. Afterwards it is
 * known which logs are theirs. No log is made for a name that PostgreSQL cannot hold.
 */
export async function findLogs(session: Session, rows: LoadedRows, tenants: ReadonlySet<string>): Promise<void> {
  const unknown = [...tenants].filter((tenant) => rows.entries.logOf(tenant) === undefined && canHaveLog(tenant));
  if (unknown.length === 0) return;
  const find = { sql: FIND_LOGS, parameters: [textList(unknown)] };
  let found = await session.run([find]);
  if (found[0]?.rows.length !== unknown.length) {
    found = await session.run([find, { sql: MAKE_LOGS, parameters: [textList(unknown)], isSilent: true }, find]);
  }
  for (const row of rowsOf(found.at(-1))) rows.entries.knowLog(String(row['tenant']), Number(row['log']));
}

function canHaveLog(tenant: unknown): boolean {
  if (typeof tenant !== 'string' || tenant === '' || !isStorable(tenant)) return false;
  return Buffer.byteLength(tenant) <= TENANT_BYTES_MAX;
}

export interface Loading {
  readonly names: Names;
  /** This boot's; 0: none, or none that matters here. */
  readonly lease: number;
  /** Of calls that recovery closes, in a transaction that it has begun. */
  readonly abandoned?: readonly string[];
}

/** Begins a transaction, and reads and locks what it is about. The tenants' logs are known. */
export async function loadRows(session: Session, rows: LoadedRows, loading: Loading): Promise<void> {
  rows.begin();
  const { names, lease, abandoned } = loading;
  const parts = [
    ...(abandoned === undefined ? BEGIN.map(unread) : []),
    ...leaseParts(rows, lease),
    ...logParts(rows, names.tenants),
    ...claimParts(rows, names),
    ...grantParts(rows, names),
    ...(abandoned === undefined ? [] : abandonedParts(rows, abandoned)),
  ];
  const answers = await session.run(parts.map(({ statement }) => statement));
  for (const [index, { read }] of parts.entries()) read(rowsOf(answers[index]));
}

type Row = Readonly<Record<string, unknown>>;

/** A statement, and what is done with its rows. */
interface Part {
  readonly statement: Statement;
  readonly read: (rows: readonly Row[]) => void;
}

function unread(statement: Statement): Part {
  return { statement, read: () => undefined };
}

function leaseParts({ leases }: LoadedRows, lease: number): Part[] {
  leases.know(undefined);
  const own: Part = {
    statement: { sql: LOCK_LEASE, parameters: [lease] },
    read: ([row]) => leases.know(row as unknown as { lease: number; boot: string; until: number } | undefined),
  };
  const spare: Part = {
    statement: { sql: NEW_LEASE, parameters: [] },
    read: ([row]) => leases.addSpare(Number(row?.['number'])),
  };
  return [...(lease === 0 ? [] : [own]), ...(leases.spare === 0 ? [spare] : [])];
}

/** The locks alone, for a transaction that reads nothing. */
export function locksOf(logs: readonly number[], lease: number | undefined): readonly Statement[] {
  const lockLogs = { sql: LOCK_LOGS, parameters: [longList(logs)], isSilent: true };
  return lease === undefined ? [lockLogs] : [{ sql: LOCK_LEASE, parameters: [lease], isSilent: true }, lockLogs];
}

function logParts({ entries }: LoadedRows, tenants: ReadonlySet<string>): Part[] {
  const logs = [...tenants].flatMap((tenant) => entries.logOf(tenant) ?? []).sort((left, right) => left - right);
  if (logs.length === 0) return [];
  return [
    ...locksOf(logs, undefined).map(unread),
    {
      statement: { sql: READ_ENDS, parameters: [longList(logs)] },
      read: (rows) => {
        if (rows.length !== logs.length) {
          // Another database answers than the one in which the logs were found.
          entries.clear();
          throw new DbError('unavailable', 'audit_logs: a log has gone');
        }
        entries.knowEnds(
          rows.map(({ tenant, newest }) => ({ tenant: String(tenant), seq: newest === null ? 0 : Number(newest) + 1 })),
        );
      },
    },
  ];
}

function claimParts({ claims }: LoadedRows, { scopes, places, answers }: Names): Part[] {
  const storable = scopes.filter((scope) => Object.values(scope).every(isStorable));
  const named: Part = {
    statement: { sql: NAMED_CLAIMS, parameters: [longList(places), JSON.stringify(storable)] },
    read: (rows) => claims.know(rows as unknown as readonly ClaimRead[]),
  };
  return [
    ...(storable.length > 0 || places.length > 0 ? [named] : []),
    ...spareParts(NEW_PLACES, storable.length, (numbers) => claims.addSparePlaces(numbers)),
    ...spareParts(NEW_ANSWERS, answers, (numbers) => claims.addSpareAnswers(numbers)),
  ];
}

/** New rows have their numbers before they are there: so all of them go in one statement, and calls can name theirs at once. */
function spareParts(sql: string, count: number, add: (numbers: readonly number[]) => void): Part[] {
  if (count === 0) return [];
  const read = (rows: readonly Row[]) => add(rows.map((row) => Number(row['number'])));
  return [{ statement: { sql, parameters: [count] }, read }];
}

function grantParts({ grants }: LoadedRows, names: Names): Part[] {
  const storable = names.grants.filter(({ id, tenant }) => isStorable(id) && isStorable(tenant));
  if (storable.length === 0) return [];
  const distinct = [...new Map(storable.map((name) => [JSON.stringify(name), name])).values()];
  return [
    {
      statement: { sql: NAMED_GRANTS, parameters: [JSON.stringify(distinct)] },
      read: (rows) => grants.know(rows as unknown as readonly GrantRead[]),
    },
  ];
}

function abandonedParts({ claims, grants }: LoadedRows, requestIds: readonly string[]): Part[] {
  const parameters = [textList(requestIds)];
  return [
    {
      statement: { sql: ABANDONED_CLAIMS, parameters },
      read: (rows) => claims.know(rows as unknown as readonly ClaimRead[]),
    },
    {
      statement: { sql: ABANDONED_APPROVALS, parameters },
      read: (rows) => grants.knowApprovals(rows as unknown as readonly ApprovalRead[]),
    },
  ];
}

function rowsOf(answer: Answer | undefined): readonly Row[] {
  return answer?.rows ?? [];
}
