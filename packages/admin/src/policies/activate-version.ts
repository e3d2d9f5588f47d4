import type { DbRepositories, PolicyVersionRecord, PolicyVersionRef, PolicyVersionSummary } from '@postern/db/ports';
import { bundleVersion } from '@postern/policy';
import { Rejection } from '@postern/schemas';
import { checkScorer } from '../config/check-scorer.ts';
import { type CurrentState, readCurrentState } from '../config/current-state.ts';
import { judgePolicy, policyStateOf } from '../config/policy-check.ts';
import type { WriteDependencies } from '../dependencies.ts';
import { type TenantWrite, type WriteOrigin, writeInTenant } from '../tenant-write.ts';
import type { UnsafeRights } from '../unsafe-members.ts';
import { toValidationIssue } from '../validation/check-shape.ts';
import { invalid } from '../validator.ts';
import { checkContent } from './check-content.ts';
import { completeContent, contentOf, policyDocument, readPolicyDocument } from './policy-content.ts';
import { ensureVersion, recordActivation } from './record-version.ts';
import { writeContent } from './write-content.ts';

export interface Activation extends WriteOrigin {
  readonly ref: PolicyVersionRef;
  readonly rights: UnsafeRights;
  /** Only a version that was in force before will do. */
  readonly isRollback: boolean;
  /** Refuses when the version that is active is not the one that the caller means to replace. */
  readonly guard: (active: PolicyVersionSummary | undefined, target: PolicyVersionSummary) => void;
}

export interface ActivatedVersion {
  readonly version: PolicyVersionSummary;
  readonly active: PolicyVersionSummary;
}

/**
 * Puts a version in force, in one transaction: its rules and risk are stored to the byte, the version that was active is superseded, and
 * the data plane is told once. Judged anew, for what its rules speak of may be gone: then it is refused and nothing changes. A version
 * that is active already stays so.
 *
 * @throws Rejection `not_found`, `conflict`, `precondition_failed` (by the guard), `forbidden`, `validation_failed`
 */
export async function activateVersion(
  dependencies: WriteDependencies,
  activation: Activation,
): Promise<ActivatedVersion> {
  const { policyVersions } = dependencies.repositories;
  return await writeInTenant(dependencies, activation, async (write) => {
    const { tenant, context } = write;
    const state = await readCurrentState(dependencies.repositories, tenant, context);
    const versionBefore = () => judgePolicy(policyStateOf(state)).version;
    const active = await ensureVersion(dependencies.repositories, write, state, versionBefore);
    const target = await findVersion(dependencies.repositories, tenant, activation.ref, write);
    activation.guard(active, target);
    if (active !== undefined && target.id === active.id) return { version: active, active };
    if (activation.isRollback && target.status === 'draft') {
      throw new Rejection('conflict', `Version ${target.number} is a draft and was never in force; activate it.`);
    }
    const policyVersion = await bringIn(dependencies, write, { target, state, rights: activation.rights });
    const options = { ifActive: active?.id, policyVersion };
    const version = await policyVersions.activatePolicyVersion(tenant, target.id, options, context);
    await recordActivation(write, active, version);
    return { version, active: version };
  });
}

/** The version that a path names; `not_found` without one. */
export async function findVersion(
  { policyVersions }: Pick<DbRepositories, 'policyVersions'>,
  tenant: string,
  ref: PolicyVersionRef,
  { context = {} }: Partial<Pick<TenantWrite, 'context'>> = {},
): Promise<PolicyVersionRecord> {
  const version = await policyVersions.getPolicyVersion(tenant, ref, context);
  if (version !== undefined) return version;
  const what = typeof ref === 'string' ? `no ${ref} version of the policy yet` : 'no such version of the policy';
  throw new Rejection('not_found', `There is ${what}.`);
}

/** Writes the content of the version, and says which policy version decisions name from here on. */
async function bringIn(
  dependencies: WriteDependencies,
  write: TenantWrite,
  options: { readonly target: PolicyVersionRecord; readonly state: CurrentState; readonly rights: UnsafeRights },
): Promise<string> {
  const { target, state, rights } = options;
  const content = readPolicyDocument(target.document);
  const scorer = await checkScorer(content.risk, state.risk, rights);
  if (scorer.length > 0) {
    throw invalid(scorer.map(({ path, message }) => toValidationIssue({ path: ['risk', ...path], message })));
  }
  checkContent(content, state);
  await writeContent(dependencies, write, { content, stored: state });
  const after = await readCurrentState(dependencies.repositories, write.tenant, write.context);
  requireRestored(content, after);
  return bundleVersion(policyStateOf(after));
}

/** What is stored is what the version says, or nothing of it is kept. */
function requireRestored(content: ReturnType<typeof readPolicyDocument>, after: CurrentState): void {
  if (policyDocument(completeContent(content)) === policyDocument(contentOf(after))) return;
  throw new Rejection('internal_error', 'The version could not be restored as it was; nothing was changed.');
}
