import { isDeepStrictEqual } from 'node:util';
import type { Kysely } from 'kysely';
import { requireCount, requireOneOf, requireText, withReference } from '../check.ts';
import { requireIntegerBetween, requirePlainText, toBoundedJson } from '../check-value.ts';
import type { DbClient } from '../client.ts';
import { decodeNumberCursor, rowsToRead, toPage } from '../page.ts';
import {
  COMMAND_BYTES_MAX,
  COMMAND_LIFE_MS,
  COMMAND_PRIORITY,
  COMMAND_STATES,
  type CommandRecord,
  type CommandsPort,
  type NewCommand,
} from '../ports/commands.ts';
import { DbError } from '../ports/db-error.ts';
import type { Tables } from '../tables.ts';
import { inOneTransaction, listsOf, pointsOf } from '../transaction.ts';
import { createCommandMoves } from './command-moves.ts';
import { readsAs, type StoredCommandRow, toCommand } from './command-rows.ts';
import { createCommandSweeps } from './command-sweeps.ts';
import type { RepositoryOptions } from './repository-options.ts';

const LIST = 'commands';
const NAME_LENGTH_MAX = 200;

export function createCommands(dbClient: DbClient, options: RepositoryOptions): CommandsPort {
  return {
    ...createCreation(dbClient, options),
    ...createReads(dbClient),
    ...createCommandMoves(dbClient),
    ...createCommandSweeps(dbClient),
  };
}

function createCreation(dbClient: DbClient, { newId }: RepositoryOptions): Pick<CommandsPort, 'create'> {
  return {
    async create(command, nowMs, context) {
      const row = toRow(command, command.id ?? newId(), nowMs);
      const { tenant, id } = row;
      return inOneTransaction(dbClient, context, async (scope) => {
        const kysely = scope.kysely(tenant);
        const inserting = kysely
          .insertInto('commands')
          .values(row)
          .onConflict((conflict) => conflict.columns(['tenant', 'id']).doNothing())
          .executeTakeFirst();
        const { numInsertedOrUpdatedRows } = await withReference('commands.tenant', inserting);
        const known = await selectCommands(kysely, tenant).where('id', '=', id).executeTakeFirstOrThrow();
        const stored = toCommand(known, nowMs);
        if (numInsertedOrUpdatedRows === 1n) return { command: stored, isNew: true };
        if (!isSame(stored, toCommand(row, nowMs))) {
          throw new DbError('conflict', 'commands.id is the id of another command');
        }
        return { command: stored, isNew: false };
      });
    },
  };
}

function isSame(one: CommandRecord, other: CommandRecord): boolean {
  const saying = ({ edge, kind, payload, priority }: CommandRecord) => ({ edge, kind, payload, priority });
  return isDeepStrictEqual(saying(one), saying(other));
}

function createReads(dbClient: DbClient): Pick<CommandsPort, 'getById' | 'list'> {
  return {
    async getById(tenant, id, nowMs, context) {
      const row = await selectCommands(pointsOf(dbClient, context, tenant), tenant)
        .where('id', '=', id)
        .executeTakeFirst();
      return row && toCommand(row, nowMs);
    },

    async list(tenant, { edge, state }, page, context) {
      if (state !== undefined) requireOneOf('commands.state', state, COMMAND_STATES);
      const before = decodeNumberCursor(LIST, page.cursor);
      let query = selectCommands(listsOf(dbClient, context, tenant), tenant);
      if (edge !== undefined) query = query.where('edge', '=', edge);
      if (state !== undefined) query = query.where(readsAs(state, page.nowMs));
      if (before !== undefined) query = query.where('place', '<', before);
      const rows = await query.orderBy('place', 'desc').limit(rowsToRead(page)).execute();
      return toPage(rows, page.limit, LIST, {
        item: (row) => toCommand(row, page.nowMs),
        position: (row) => row.place,
      });
    },
  };
}

function selectCommands(kysely: Kysely<Tables>, tenant: string) {
  return kysely.selectFrom('commands').selectAll().where('tenant', '=', tenant);
}

function toRow(command: NewCommand, id: string, nowMs: number): StoredCommandRow {
  const { tenant, edge, kind, createdBy, priority = COMMAND_PRIORITY.default } = command;
  requireText('commands.tenant', tenant);
  requirePlainText('commands.id', id, NAME_LENGTH_MAX);
  requirePlainText('commands.edge', edge, NAME_LENGTH_MAX);
  requirePlainText('commands.kind', kind, NAME_LENGTH_MAX);
  requirePlainText('commands.created_by', createdBy, NAME_LENGTH_MAX);
  requireIntegerBetween('commands.priority', priority, COMMAND_PRIORITY.first, COMMAND_PRIORITY.last);
  requireCount('commands.created_at', nowMs);
  const expiresAt = command.expiresAt ?? nowMs + COMMAND_LIFE_MS;
  requireIntegerBetween('commands.expires_at', expiresAt, nowMs + 1, Number.MAX_SAFE_INTEGER);
  return {
    tenant,
    id,
    edge,
    kind,
    payload: toBoundedJson('commands.payload', command.payload, COMMAND_BYTES_MAX),
    priority,
    state: 'queued',
    created_by: createdBy,
    created_at: nowMs,
    expires_at: expiresAt,
    attempts: 0,
    lease_until: null,
    received_at: null,
    progress: null,
    finished_at: null,
    result: null,
  };
}
