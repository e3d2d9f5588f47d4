import { hash } from 'node:crypto';
import type { DbRepositories, PolicyVersionSummary } from '@postern/db/ports';
import { DEFAULT_RISK, type EntryPolicyVersion } from '@postern/schemas';
import type { PolicyRecords } from '../config/current-state.ts';
import type { TenantWrite } from '../tenant-write.ts';
import { contentOf, policyDocument } from './policy-content.ts';

/** A tenant's policy as stored, with the version of the bundle that it compiles to; undefined where it does not compile. */
export interface StoredPolicy {
  readonly records: Pick<PolicyRecords, 'rules' | 'risk'>;
  readonly bundleVersion: string | undefined;
}

const NOTHING = policyDocument({ rules: [], risk: DEFAULT_RISK });
const UPGRADER = 'postern';
const UPGRADE_NOTE = 'The policy as it was before versions were kept';

/**
 * Follows a write to rules, risk or integrations within its transaction: makes and activates a version where rules or risk are others
 * than those of the active version, and records `policy.activated` where decisions name another version from here on.
 */
export async function recordVersion(
  { policyVersions }: DbRepositories,
  write: TenantWrite,
  { before, after }: { readonly before: StoredPolicy; readonly after: StoredPolicy },
): Promise<void> {
  const { tenant, actor, context } = write;
  const { bundleVersion: policyVersion } = after;
  const active = await ensureVersion({ policyVersions }, write, before.records, () => before.bundleVersion);
  const document = policyDocument(contentOf(after.records));
  const isSameBundle = policyVersion === before.bundleVersion;
  // Who never wrote a policy has no version of it.
  if (active === undefined && document === NOTHING && isSameBundle) return;
  if (active?.contentHash !== hash('sha256', document, 'hex')) {
    const created = await policyVersions.createPolicyVersion({ tenant, document, createdBy: actor }, context);
    const options = { ifActive: active?.id, policyVersion };
    const activated = await policyVersions.activatePolicyVersion(tenant, created.id, options, context);
    await recordActivation(write, active, activated);
  } else if (!isSameBundle) {
    await policyVersions.setActivePolicyVersion(tenant, policyVersion, context);
    await recordActivation(write, active, { ...active, ...(policyVersion === undefined ? {} : { policyVersion }) });
  }
}

/**
 * The active version. A policy that is older than versions gets one, so that there is something to go back to; `policyVersionOf` is asked
 * for then alone.
 */
export async function ensureVersion(
  { policyVersions }: Pick<DbRepositories, 'policyVersions'>,
  { tenant, context }: TenantWrite,
  records: StoredPolicy['records'],
  policyVersionOf: () => string | undefined,
): Promise<PolicyVersionSummary | undefined> {
  const active = await policyVersions.getPolicyVersionSummary(tenant, 'active', context);
  if (active !== undefined) return active;
  const document = policyDocument(contentOf(records));
  if (document === NOTHING) return undefined;
  const version = { tenant, document, createdBy: UPGRADER, note: UPGRADE_NOTE };
  const { id } = await policyVersions.createPolicyVersion(version, context);
  return await policyVersions.activatePolicyVersion(
    tenant,
    id,
    { ifActive: undefined, policyVersion: policyVersionOf() },
    context,
  );
}

/** Says in the log which version decides from here on, and which one it follows. */
export async function recordActivation(
  write: TenantWrite,
  from: PolicyVersionSummary | undefined,
  to: PolicyVersionSummary,
): Promise<void> {
  const { policyVersion } = to;
  await write.record('policy.activated', 'policy', {
    ...(policyVersion === undefined ? {} : { policyVersion }),
    versions: { ...(from === undefined ? {} : { from: named(from) }), to: named(to) },
  });
}

function named({ number, contentHash }: PolicyVersionSummary): EntryPolicyVersion {
  return { number, contentHash };
}
