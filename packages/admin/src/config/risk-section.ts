import type { Risk } from '@postern/schemas';
import type { WriteDependencies } from '../dependencies.ts';
import { differences, type PlannedWrite } from './change.ts';

/** Plans the section `risk`, which is one thing: a document that has it sets all of it. */
export function planRisk(
  { repositories: { policySettings } }: WriteDependencies,
  wanted: Risk | undefined,
  stored: Risk,
): readonly PlannedWrite[] {
  if (wanted === undefined) return [];
  const diff = differences(stored, wanted);
  if (diff.length === 0) return [];
  return [
    {
      change: { kind: 'risk', name: 'risk', op: 'update', diff },
      async run(write) {
        await policySettings.setRisk(write.tenant, wanted, write.context);
        await write.record('admin.updated', 'risk');
      },
    },
  ];
}
