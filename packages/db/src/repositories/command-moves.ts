import { type Kysely, type RawBuilder, sql } from 'kysely';
import { requireCount, requireOneOf } from '../check.ts';
import { requireIntegerBetween, toBoundedJson } from '../check-value.ts';
import type { DbClient } from '../client.ts';
import type { CommandRow } from '../edge-tables.ts';
import {
  COMMAND_BYTES_MAX,
  COMMAND_RESULTS,
  type CommandChange,
  type CommandRecord,
  type CommandRef,
  type CommandState,
  type CommandsPort,
} from '../ports/commands.ts';
import type { DbContext } from '../ports/context.ts';
import { DbError } from '../ports/db-error.ts';
import type { Tables } from '../tables.ts';
import { inOneTransaction } from '../transaction.ts';
import { type StoredCommandRow, toCommand } from './command-rows.ts';

type Moves = Pick<CommandsPort, 'take' | 'markReceived' | 'noteProgress' | 'finish' | 'cancel'>;

const LIMIT_MAX = 1_000;

export function createCommandMoves(dbClient: DbClient): Moves {
  const move = (change: Change, context: DbContext | undefined) =>
    inOneTransaction(dbClient, context, (scope) => moveCommand(scope.kysely(change.ref.tenant), change));
  return {
    take: (edge, nowMs, terms) =>
      inOneTransaction(dbClient, undefined, (scope) => takeCommands(scope.kysely(edge.tenant), edge, nowMs, terms)),

    async markReceived(ref, { at, leaseUntil }, context) {
      requireCount('commands.received_at', at);
      requireCount('commands.lease_until', leaseUntil);
      const set = { state: 'received' as const, received_at: at, lease_until: leaseUntil };
      return move({ ref, from: ['sent'], isBeforeEnd: true, set, at }, context);
    },

    async noteProgress(ref, { at, leaseUntil, progress }, context) {
      requireCount('commands.received_at', at);
      requireCount('commands.lease_until', leaseUntil);
      const text = toBoundedJson('commands.progress', progress, COMMAND_BYTES_MAX);
      const set = { state: 'running' as const, received_at: firstReceipt(at), lease_until: leaseUntil, progress: text };
      return move({ ref, from: ['sent', 'received', 'running'], isBeforeEnd: true, set, at }, context);
    },

    async finish(ref, { to, at, result }, context) {
      requireOneOf('commands.state', to, COMMAND_RESULTS);
      requireCount('commands.finished_at', at);
      const set = {
        state: to,
        received_at: firstReceipt(at),
        lease_until: null,
        finished_at: at,
        result: result === undefined ? null : toBoundedJson('commands.result', result, COMMAND_BYTES_MAX),
      };
      return move({ ref, from: ['sent', 'received', 'running', 'unknown'], isBeforeEnd: false, set, at }, context);
    },

    async cancel(tenant, id, at, context) {
      requireCount('commands.finished_at', at);
      const set = { state: 'cancelled' as const, finished_at: at };
      return move({ ref: { tenant, id }, from: ['queued'], isBeforeEnd: true, set, at }, context);
    },
  };
}

interface Change {
  readonly ref: Pick<CommandRef, 'tenant' | 'id'> & { readonly edge?: string };
  readonly from: readonly CommandState[];
  /** Not once its time is over, for then it reads otherwise. */
  readonly isBeforeEnd: boolean;
  readonly set: {
    readonly [Column in keyof StoredCommandRow]?: StoredCommandRow[Column] | RawBuilder<StoredCommandRow[Column]>;
  };
  readonly at: number;
}

/** A step that was left out happened by now. */
function firstReceipt(at: number): RawBuilder<number> {
  return sql<number>`coalesce(received_at, ${at})`;
}

async function moveCommand(kysely: Kysely<Tables>, change: Change): Promise<CommandChange> {
  const { ref, from, isBeforeEnd, set, at } = change;
  let query = kysely
    .updateTable('commands')
    .set(set)
    .where('tenant', '=', ref.tenant)
    .where('id', '=', ref.id)
    .where('state', 'in', from);
  if (ref.edge !== undefined) query = query.where('edge', '=', ref.edge);
  if (isBeforeEnd) query = query.where('expires_at', '>', at);
  const { numUpdatedRows } = await query.executeTakeFirst();
  let stored = kysely.selectFrom('commands').selectAll().where('tenant', '=', ref.tenant).where('id', '=', ref.id);
  if (ref.edge !== undefined) stored = stored.where('edge', '=', ref.edge);
  const row = await stored.executeTakeFirst();
  if (row === undefined) throw new DbError('not_found', 'no such command for that edge');
  return { isDone: numUpdatedRows === 1n, command: toCommand(row, at) };
}

async function takeCommands(
  kysely: Kysely<Tables>,
  { tenant, edge }: { readonly tenant: string; readonly edge: string },
  nowMs: number,
  { leaseMs, limit }: { readonly leaseMs: number; readonly limit: number },
): Promise<readonly CommandRecord[]> {
  requireCount('commands.lease_until', nowMs + leaseMs);
  requireIntegerBetween('the limit', limit, 1, LIMIT_MAX);
  const due = await kysely
    .selectFrom('commands')
    .select(['place', 'attempts', 'state'])
    .where('tenant', '=', tenant)
    .where('edge', '=', edge)
    .where('finished_at', 'is', null)
    .where('expires_at', '>', nowMs)
    .where(({ or, eb }) => or([eb('state', '=', 'queued'), eb('lease_until', '<=', nowMs)]))
    .orderBy('priority')
    .orderBy('place')
    .limit(limit)
    .execute();
  const taken: CommandRecord[] = [];
  for (const row of due) {
    const mine = await takeOne(kysely, row, nowMs + leaseMs);
    if (mine !== undefined) taken.push(toCommand(mine, nowMs));
  }
  return taken;
}

/** Conditional on what was read: whoever was quicker has it. What it has come to stays: one that is running is sent again as such. */
function takeOne(
  kysely: Kysely<Tables>,
  { place, attempts, state }: Pick<CommandRow, 'attempts' | 'state'> & { readonly place: number },
  leaseUntil: number,
) {
  return kysely
    .updateTable('commands')
    .set({ state: state === 'queued' ? 'sent' : state, attempts: attempts + 1, lease_until: leaseUntil })
    .where('place', '=', place)
    .where('attempts', '=', attempts)
    .where('state', '=', state)
    .returningAll()
    .executeTakeFirst();
}
