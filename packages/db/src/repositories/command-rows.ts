import { sql } from 'kysely';
import type { CommandRow } from '../edge-tables.ts';
import { fromJsonColumn } from '../json-column.ts';
import { COMMAND_STATES, type CommandRecord, type CommandState } from '../ports/commands.ts';
import { impossibleRow, storedNothing, storedOneOf, storedValue } from '../stored.ts';

export type StoredCommandRow = Omit<CommandRow, 'place'>;

const FINAL: readonly CommandState[] = ['succeeded', 'failed', 'rejected', 'cancelled', 'expired', 'unknown'];
const ON_ITS_WAY: readonly CommandState[] = ['sent', 'received', 'running'];
const NEVER_SENT: readonly CommandState[] = ['queued', 'cancelled', 'expired'];

/** What it reads at `nowMs`: nothing waits for ever, and what was sent may have happened. */
export function commandStateOf(
  { state, expires_at }: Pick<CommandRow, 'state' | 'expires_at'>,
  nowMs: number,
): CommandState {
  if (expires_at > nowMs || FINAL.includes(state)) return state;
  return state === 'queued' ? 'expired' : 'unknown';
}

/** The same judgement as `commandStateOf`, for lists. */
export function readsAs(state: CommandState, nowMs: number) {
  const isOver = sql<boolean>`expires_at <= ${nowMs}`;
  switch (state) {
    case 'queued':
    case 'sent':
    case 'received':
    case 'running':
      return sql<boolean>`(state = ${state} and not ${isOver})`;
    case 'expired':
      return sql<boolean>`(state = 'expired' or (state = 'queued' and ${isOver}))`;
    case 'unknown':
      return sql<boolean>`(state = 'unknown' or (state in ('sent', 'received', 'running') and ${isOver}))`;
    case 'succeeded':
    case 'failed':
    case 'rejected':
    case 'cancelled':
      return sql<boolean>`(state = ${state})`;
  }
}

const anyJson = { safeParse: (value: unknown) => ({ success: true as const, data: value }) };

export function toCommand(row: StoredCommandRow, nowMs: number): CommandRecord {
  requireTogether(row);
  const state = commandStateOf(row, nowMs);
  // One whose time is over was finished by it, whether a sweep has stored that or not.
  const finishedAt = row.finished_at ?? (state === row.state ? null : row.expires_at);
  return {
    tenant: row.tenant,
    id: row.id,
    edge: row.edge,
    kind: row.kind,
    payload: fromJsonColumn('commands.payload', row.payload, anyJson),
    priority: row.priority,
    state,
    createdBy: row.created_by,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    attempts: row.attempts,
    ...(row.lease_until === null || finishedAt !== null ? {} : { leaseUntil: row.lease_until }),
    ...(row.received_at === null ? {} : { receivedAt: row.received_at }),
    ...(row.progress === null ? {} : { progress: fromJsonColumn('commands.progress', row.progress, anyJson) }),
    ...(finishedAt === null ? {} : { finishedAt }),
    ...(row.result === null ? {} : { result: fromJsonColumn('commands.result', row.result, anyJson) }),
  };
}

function requireTogether(row: StoredCommandRow): void {
  const state = storedOneOf('commands.state', row.state, COMMAND_STATES);
  if (FINAL.includes(state)) storedValue('commands.finished_at', row.finished_at, state);
  else storedNothing('commands.finished_at', row.finished_at, state);
  if (ON_ITS_WAY.includes(state)) storedValue('commands.lease_until', row.lease_until, state);
  else storedNothing('commands.lease_until', row.lease_until, state);
  if (NEVER_SENT.includes(state)) {
    if (row.attempts !== 0) throw impossibleRow('commands.attempts', `is not 0 where the state is ${state}`);
    storedNothing('commands.received_at', row.received_at, state);
  }
  if (state === 'received' || state === 'running') storedValue('commands.received_at', row.received_at, state);
  if (!['succeeded', 'failed', 'rejected'].includes(state)) storedNothing('commands.result', row.result, state);
}
