import { sql } from 'kysely';
import { requireCount } from '../check.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import type { CommandState, CommandsPort } from '../ports/commands.ts';

export function createCommandSweeps(dbClient: DbClient): Pick<CommandsPort, 'sweep' | 'removeFinished'> {
  return {
    async sweep(nowMs, limit) {
      requireCount('commands.finished_at', nowMs);
      const state = sql<CommandState>`case state when 'queued' then 'expired' else 'unknown' end`;
      const { numUpdatedRows } = await dbClient
        .writes(INSTANCE_SCOPE)
        .updateTable('commands')
        .set({ state, lease_until: null, finished_at: sql<number>`expires_at` })
        .where('place', 'in', (select) =>
          select
            .selectFrom('commands')
            .select('place')
            .where('finished_at', 'is', null)
            .where('expires_at', '<=', nowMs)
            .orderBy('expires_at')
            .limit(limit),
        )
        // A result may have come since the places were read.
        .where('finished_at', 'is', null)
        .executeTakeFirst();
      return Number(numUpdatedRows);
    },

    async removeFinished(finishedBefore, limit) {
      requireCount('commands.finished_at', finishedBefore);
      const { numDeletedRows } = await dbClient
        .writes(INSTANCE_SCOPE)
        .deleteFrom('commands')
        .where('place', 'in', (select) =>
          select
            .selectFrom('commands')
            .select('place')
            .where('finished_at', '<', finishedBefore)
            .orderBy('finished_at')
            .limit(limit),
        )
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
  };
}
