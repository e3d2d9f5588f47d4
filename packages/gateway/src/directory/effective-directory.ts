import type { IntegrationRecord, TenantDirectory } from '@postern/db/ports';
import { type EffectiveIntegration, effectiveIntegration, findTemplates } from '@postern/templates';

/** An integration with everything that its template gives it. */
export interface EffectiveRecord extends IntegrationRecord {
  readonly spec: EffectiveIntegration;
}

/** A tenant's configuration as calls meet it. */
export interface EffectiveDirectory extends TenantDirectory {
  readonly integrations: readonly EffectiveRecord[];
}

/**
 * The snapshot with what templates give its integrations. One whose template is not there (a program without that built-in one runs on
 * the data of one that has it) is disabled, and told to `onMissing`.
 */
export async function withTemplates(
  snapshot: TenantDirectory,
  onMissing: (error: Error) => void,
): Promise<EffectiveDirectory> {
  const references = snapshot.integrations.map(({ spec }) => spec.template);
  if (references.every((reference) => reference === null)) return snapshot;
  const own = snapshot.templates.map(({ spec }) => spec);
  const findTemplate = await findTemplates(references, own);
  const integrations = snapshot.integrations.map((record): EffectiveRecord => {
    const { name, spec } = record;
    if (spec.template !== null && findTemplate(spec.template) === undefined) {
      onMissing(new Error(`integration ${name} is disabled: there is no template ${spec.template}`));
    }
    return { ...record, spec: effectiveIntegration(spec, findTemplate) };
  });
  return { ...snapshot, integrations };
}
