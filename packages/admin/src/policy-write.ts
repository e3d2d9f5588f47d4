import type { PolicyIssue } from '@postern/policy';
import type { ValidationIssue } from '@postern/schemas';
import { readPolicyRecords } from './config/current-state.ts';
import { judgePolicy, policyStateOf, toldFault } from './config/policy-check.ts';
import type { WriteDependencies } from './dependencies.ts';
import { type TenantWrite, type WriteOrigin, writeInTenant } from './tenant-write.ts';
import { invalid } from './validator.ts';

/**
 * As `writeInTenant`, for changes that bear on decisions: refuses with `validation_failed` what the policy compiler does not take
 * (faults that were there before do not stand in the way of a repair), and records `policy.activated` when the version changed.
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
    const before = judgePolicy(policyStateOf(await read()));
    const result = await operation(write);
    const after = judgePolicy(policyStateOf(await read()));
    const known = new Set(before.issues.map((issue) => JSON.stringify(issue)));
    const faults = after.issues.filter((issue) => issue.ruleId === origin.ruleId || !known.has(JSON.stringify(issue)));
    if (faults.length > 0) throw invalid(faults.map((issue) => placeIssue(issue, origin.ruleId)));
    if (after.version !== undefined && after.version !== before.version) {
      await write.record('policy.activated', 'policy', { policyVersion: after.version });
    }
    return result;
  });
}

function placeIssue(issue: PolicyIssue, writtenId: string | undefined): ValidationIssue {
  const { ruleId, field } = issue;
  const told = toldFault(issue);
  if (ruleId === writtenId || ruleId === null) return { field, ...told };
  return { field: 'rules', ...told, message: `rule ${ruleId}: ${field} ${told.message}` };
}
