import type { NotificationEndpoint } from '@postern/schemas';
import type { WriteDependencies } from '../dependencies.ts';
import type { PlannedWrite } from './change.ts';
import { compareSection } from './compare-section.ts';
import type { CurrentState } from './current-state.ts';

/** Plans where notifications go. An endpoint's URL is its name; one that was disabled stays so until somebody enables it. */
export function planNotifications(
  { repositories: { notificationEndpoints }, now }: WriteDependencies,
  wanted: readonly NotificationEndpoint[] | undefined,
  state: CurrentState,
): readonly PlannedWrite[] {
  if (wanted === undefined) return [];
  const existing = state.notifications.map((record) => {
    return { name: record.spec.url, spec: record.spec, origin: record.origin, record };
  });
  const named = wanted.map((spec) => ({ name: spec.url, spec }));
  const comparison = compareSection(named, existing, { kind: 'notification', compact: (spec) => spec });

  const creations = comparison.creations.map(
    ({ spec, change }): PlannedWrite => ({
      change,
      async run(write) {
        await notificationEndpoints.create(write.tenant, spec, 'config', write.context);
        await write.record('admin.created', subjectOf(spec), { credential: spec.secret });
      },
    }),
  );
  const updates = comparison.matches
    .filter(({ stored, change }) => change !== undefined || stored.origin !== 'config')
    .map(
      ({ spec, stored, change }): PlannedWrite => ({
        ...(change === undefined ? {} : { change }),
        async run(write) {
          await notificationEndpoints.update(stored.record, spec, 'config', write.context);
          if (change !== undefined) await write.record('admin.updated', subjectOf(spec), { credential: spec.secret });
        },
      }),
    );
  const removals = comparison.removals.map(
    ({ stored, change }): PlannedWrite => ({
      change,
      async run(write) {
        await notificationEndpoints.remove(write.tenant, stored.record.id, now(), write.context);
        await write.record('admin.removed', subjectOf(stored.spec));
      },
    }),
  );
  return [...removals, ...creations, ...updates];
}

/** Without the query, which may hold a receiver's token. */
export function subjectOf({ url }: Pick<NotificationEndpoint, 'url'>): string {
  const end = url.indexOf('?');
  return `notification:${end === -1 ? url : url.slice(0, end)}`;
}
