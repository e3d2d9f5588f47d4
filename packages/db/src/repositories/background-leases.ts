import { sql } from 'kysely';
import { requireCount, requireText } from '../check.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import type { BackgroundLeasesPort, LeaseOwner } from '../ports/background-leases.ts';

export function createBackgroundLeases(dbClient: DbClient): BackgroundLeasesPort {
  const clock = sql.raw<number>(dbClient.capabilities.clockMs);
  return {
    async hold(name, owner, leaseMs) {
      requireText('background_leases.name', name);
      requireOwner(owner);
      requireCount('background_leases.held_until', leaseMs);
      const { node, boot } = owner;
      const until = sql<number>`${clock} + ${sql.lit(leaseMs)}`;
      const { numInsertedOrUpdatedRows } = await dbClient
        .writes(INSTANCE_SCOPE)
        .insertInto('background_leases')
        .values({ name, node, boot, held_until: until })
        .onConflict((conflict) =>
          conflict
            .column('name')
            .doUpdateSet({ node, boot, held_until: until })
            .where(({ or, and, eb }) =>
              or([
                and([eb('background_leases.node', '=', node), eb('background_leases.boot', '=', boot)]),
                eb('background_leases.held_until', '<=', clock),
              ]),
            ),
        )
        .executeTakeFirstOrThrow();
      return numInsertedOrUpdatedRows === 1n;
    },

    async release(name, { node, boot }) {
      await dbClient
        .writes(INSTANCE_SCOPE)
        .deleteFrom('background_leases')
        .where('name', '=', name)
        .where('node', '=', node)
        .where('boot', '=', boot)
        .execute();
    },
  };
}

function requireOwner({ node, boot }: LeaseOwner): void {
  requireText('background_leases.node', node);
  requireText('background_leases.boot', boot);
}
