import type { PolicyVersionRecord } from '@postern/db/ports';
import type { Risk, Rule } from '@postern/schemas';
import { checkScorer } from '../config/check-scorer.ts';
import { readCurrentState } from '../config/current-state.ts';
import { judgePolicy, policyStateOf } from '../config/policy-check.ts';
import { storedForm } from '../config/rules-section.ts';
import type { WriteDependencies } from '../dependencies.ts';
import { type WriteOrigin, writeInTenant } from '../tenant-write.ts';
import type { UnsafeRights } from '../unsafe-members.ts';
import { toValidationIssue } from '../validation/check-shape.ts';
import { invalid } from '../validator.ts';
import { checkContent } from './check-content.ts';
import { orderedContent, policyDocument } from './policy-content.ts';
import { ensureVersion } from './record-version.ts';

export interface NewDraft extends WriteOrigin {
  readonly rules: readonly Rule[];
  /** Absent: as it is in force. */
  readonly risk?: Risk | undefined;
  readonly note?: string | undefined;
  readonly rights: UnsafeRights;
}

/**
 * Stores a policy that is not in force, after all checks that its activation would make now.
 *
 * @throws Rejection `validation_failed` with every fault, `forbidden` for a scorer that the caller may not set
 */
export async function createDraft(dependencies: WriteDependencies, draft: NewDraft): Promise<PolicyVersionRecord> {
  const { repositories } = dependencies;
  return await writeInTenant(dependencies, draft, async (write) => {
    const { tenant, actor, context } = write;
    const state = await readCurrentState(repositories, tenant, context);
    const given = { rules: draft.rules.map(storedForm), risk: draft.risk ?? state.risk };
    const scorer = await checkScorer(given.risk, state.risk, draft.rights);
    if (scorer.length > 0) {
      throw invalid(scorer.map(({ path, message }) => toValidationIssue({ path: ['risk', ...path], message })));
    }
    const content = orderedContent(given);
    checkContent(content, state, given);
    await ensureVersion(repositories, write, state, () => judgePolicy(policyStateOf(state)).version);
    const version = { tenant, document: policyDocument(content), createdBy: actor, note: draft.note };
    const created = await repositories.policyVersions.createPolicyVersion(version, context);
    await write.record('admin.created', `policy:${created.number}`);
    return created;
  });
}
