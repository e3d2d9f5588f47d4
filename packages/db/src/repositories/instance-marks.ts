import { requireText } from '../check.ts';
import { type DbClient, INSTANCE_SCOPE } from '../client.ts';
import type { InstanceMarksPort } from '../ports/instance-marks.ts';

export function createInstanceMarks(dbClient: DbClient): InstanceMarksPort {
  return {
    async find(name) {
      const row = await dbClient
        .points(INSTANCE_SCOPE)
        .selectFrom('instance_marks')
        .select('value')
        .where('name', '=', name)
        .executeTakeFirst();
      return row?.value;
    },

    async keep(name, value) {
      requireMark(name, value);
      // Writes nothing new over what stands, and gives it back in the same statement.
      const row = await dbClient
        .writes(INSTANCE_SCOPE)
        .insertInto('instance_marks')
        .values({ name, value })
        .onConflict((conflict) =>
          conflict.column('name').doUpdateSet(({ ref }) => ({ value: ref('instance_marks.value') })),
        )
        .returning('value')
        .executeTakeFirstOrThrow();
      return row.value;
    },

    async replace(name, from, to) {
      requireMark(name, to);
      const { numUpdatedRows } = await dbClient
        .writes(INSTANCE_SCOPE)
        .updateTable('instance_marks')
        .set({ value: to })
        .where('name', '=', name)
        .where('value', '=', from)
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },
  };
}

function requireMark(name: string, value: string): void {
  requireText('instance_marks.name', name);
  requireText('instance_marks.value', value);
}
