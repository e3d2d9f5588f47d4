import type { PolicyIssue } from '@postern/policy';
import type { ValidationIssue } from '@postern/schemas';
import { readPolicyRecords } from './config/current-state.ts';
import { judgePolicy, policyStateOf, toldFault } from './config/policy-check.ts';
import type { WriteDependencies } from './dependencies.ts';
import { recordVersion } from './policies/record-version.ts';
import { type TenantWrite, type WriteOrigin, writeInTenant } from './tenant-write.ts';
import { invalid } from './validator.ts';

/**
 * As `writeInTenant`, for changes that bear on decisions: refuses with `validation_failed` what the policy compiler does not take
 * (faults that were there before do not stand in the way of a repair), makes a version of rules or risk that changed, and records
 * `policy.activated`.
 * `ruleId` names the rule that the request is about.
 */
export async function writePolicyInTenant<T>(
  dependencies: WriteDependencies,
  origin: WriteOrigin & { readonly ruleId?: string },
  operation: (write: TenantWrite) => Promise<T>,
): Promise<T> {
  const { repositories } = dependencies;
  return await writeInTenant(dependencies, origin, async (write) => {
    const read = () => readPolicyRecords(repositories, write.tenant, write.context);
    const recordsBefore = await read();
    const before = judgePolicy(policyStateOf(recordsBefore));
    const result = await operation(write);
    const recordsAfter = await read();
    const after = judgePolicy(policyStateOf(recordsAfter));
    const known = new Set(before.issues.map((issue) => JSON.stringify(issue)));
    const faults = after.issues.filter((issue) => issue.ruleId === origin.ruleId || !known.has(JSON.stringify(issue)));
    if (faults.length > 0) throw invalid(faults.map((issue) => placeIssue(issue, origin.ruleId)));
    await recordVersion(repositories, write, {
      before: { records: recordsBefore, bundleVersion: before.version },
      after: { records: recordsAfter, bundleVersion: after.version },
    });
    return result;
  });
}

function placeIssue(issue: PolicyIssue, writtenId: string | undefined): ValidationIssue {
  const { ruleId, field } = issue;
  const told = toldFault(issue);
  if (ruleId === writtenId || ruleId === null) return { field, ...told };
  return { field: 'rules', ...told, message: `rule ${ruleId}: ${field} ${told.message}` };
}
