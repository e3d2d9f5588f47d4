import type { Integration } from '@postern/schemas';
import type { WriteDependencies } from '../dependencies.ts';
import type { PlannedWrite } from './change.ts';
import { compactIntegration } from './compact.ts';
import { compareSection } from './compare-section.ts';
import type { CurrentState } from './current-state.ts';

export function planIntegrations(
  { repositories: { integrations } }: WriteDependencies,
  wanted: readonly Integration[] | undefined,
  state: CurrentState,
): readonly PlannedWrite[] {
  if (wanted === undefined) return [];
  const existing = state.integrations.map((record) => {
    return { name: record.name, spec: record.spec, origin: record.origin, record };
  });
  const named = wanted.map((spec) => ({ name: spec.name, spec }));
  const comparison = compareSection(named, existing, { kind: 'integration', compact: compactIntegration });

  const creations = comparison.creations.map(
    ({ spec, change }): PlannedWrite => ({
      change,
      async run(write) {
        await integrations.create(write.tenant, spec, 'config', write.context);
        await write.record('admin.created', `integration:${spec.name}`);
      },
    }),
  );
  const updates = comparison.matches
    .filter(({ stored, change }) => change !== undefined || stored.origin !== 'config')
    .map(
      ({ spec, stored, change }): PlannedWrite => ({
        ...(change === undefined ? {} : { change }),
        async run(write) {
          await integrations.update(write.tenant, stored.record.id, spec, { origin: 'config' }, write.context);
          if (change !== undefined) await write.record('admin.updated', `integration:${spec.name}`);
        },
      }),
    );
  const removals = comparison.removals.map(
    ({ stored, change }): PlannedWrite => ({
      change,
      async run(write) {
        await integrations.remove(write.tenant, stored.record.id, write.context);
        await write.record('admin.removed', `integration:${stored.name}`);
      },
    }),
  );
  return [...removals, ...creations, ...updates];
}
