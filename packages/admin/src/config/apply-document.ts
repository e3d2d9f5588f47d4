import { Rejection, type ValidationIssue } from '@postern/schemas';
import type { WriteDependencies } from '../dependencies.ts';
import { recordVersion } from '../policies/record-version.ts';
import { type TenantWrite, type WriteOrigin, writeInTenant } from '../tenant-write.ts';
import type { UnsafeRights } from '../unsafe-members.ts';
import { type PlacedIssue, toValidationIssue } from '../validation/check-shape.ts';
import type { IssuePath } from '../validation/schema-walk.ts';
import { invalid } from '../validator.ts';
import { planAgents } from './agents-section.ts';
import { atOnce } from './at-once.ts';
import type { Change, PlannedWrite } from './change.ts';
import {
  checkDocument,
  checkGlobalIds,
  checkListensAreFree,
  checkSecretsFit,
  closedListens,
  judgeListens,
  judgeUnsafe,
  missingSecrets,
} from './check-document.ts';
import { checkNotificationSecrets, judgeNotifications, warnOfNotifications } from './check-notifications.ts';
import { checkScorer } from './check-scorer.ts';
import { checkTemplateHosts, checkTemplatesAreThere, templatesOfDocument } from './check-templates.ts';
import { type CurrentState, readCurrentState } from './current-state.ts';
import { planIntegrations } from './integrations-section.ts';
import { planNotifications } from './notifications-section.ts';
import { judgePolicyChange } from './policy-change.ts';
import type { ResolvedDocument } from './resolved-document.ts';
import { planRisk } from './risk-section.ts';
import { planRules } from './rules-section.ts';
import { planSecrets } from './secrets-section.ts';
import { planTemplates } from './templates-section.ts';

export interface ApplyRequest extends WriteOrigin {
  readonly document: ResolvedDocument;
  readonly rights: UnsafeRights;
  /** Plan and check everything, change nothing. */
  readonly dryRun?: boolean;
  /** Line of a path in the document's text, where there was one. */
  readonly lineOf?: (path: IssuePath) => number | undefined;
}

export interface ApplyResult {
  /** In the order of writing; empty when the document is in force already. */
  readonly changes: readonly Change[];
  /** What was taken but will not work yet, such as a credential whose secret is not there. */
  readonly warnings: readonly ValidationIssue[];
}

/**
 * Brings what is stored in line with the document, in one transaction: all or nothing. What the document lacks is left alone; in a
 * section it has, what earlier documents made and it no longer names is removed. Applied again it changes nothing.
 *
 * @throws Rejection `validation_failed` with every fault and its field, `forbidden` for what only an instance owner may set.
 */
export async function applyDocument(dependencies: WriteDependencies, request: ApplyRequest): Promise<ApplyResult> {
  const { document, rights, lineOf, tenant } = request;
  const refuse = (issues: readonly PlacedIssue[]) => {
    if (issues.length > 0) throw invalid(issues.map((issue) => toValidationIssue(issue, lineOf)));
  };
  if (document.tenant !== tenant)
    refuse([{ path: ['tenant'], message: `must be ${tenant}, the tenant of the request` }]);
  if (document.globalRules !== undefined && !rights.isInstanceOwner) {
    throw new Rejection('forbidden', 'Only an instance owner may set "global".');
  }
  refuse(await checkDocument(document));
  refuse(await checkGlobalIds(dependencies.repositories, document, tenant));
  const trial: { result?: ApplyResult } = {};
  try {
    const applied = await writeInTenant(dependencies, request, async (write) => {
      const result = await applyWithin(dependencies, request, write, refuse);
      if (request.dryRun !== true) return result;
      await write.requireRoom();
      trial.result = result;
      throw new TrialEnd();
    });
    const closed = closedListens(dependencies, document, tenant).map((issue) => toValidationIssue(issue, lineOf));
    return { ...applied, warnings: [...applied.warnings, ...closed] };
  } catch (cause) {
    if (cause instanceof TrialEnd && trial.result !== undefined) return trial.result;
    throw cause;
  }
}

/** Ends the transaction of a dry run without a trace: what it would have done was done for real, and is rolled back. */
class TrialEnd extends Error {
  override readonly name = 'TrialEnd';
}

async function applyWithin(
  dependencies: WriteDependencies,
  { document, rights, lineOf }: ApplyRequest,
  write: TenantWrite,
  refuse: (issues: readonly PlacedIssue[]) => void,
): Promise<ApplyResult> {
  const { repositories } = dependencies;
  const before = await readCurrentState(repositories, write.tenant, write.context);
  const { plan, issues } = await planChanges(dependencies, document, before, { write, rights });
  refuse(issues);
  for (const stage of plan) await atOnce(stage, (planned) => planned.run(write));
  const after = await readCurrentState(repositories, write.tenant, write.context);
  refuse(await checkTemplatesAreThere(dependencies, document, { before, after }, write));
  const policy = judgePolicyChange(document, before, after);
  refuse(policy.issues);
  refuse(await checkSecretsFit(dependencies, document, after, write));
  refuse(await checkNotificationSecrets(dependencies, document, after, write));
  refuse(await checkListensAreFree(dependencies, document, write));
  const changes = plan.flat().flatMap(({ change }) => (change === undefined ? [] : [change]));
  if (changes.length > 0) await write.record('admin.applied', 'config');
  await recordVersion(repositories, write, {
    before: { records: before, bundleVersion: policy.was },
    after: { records: after, bundleVersion: policy.will },
  });
  const warnings = [...missingSecrets(document, after), ...warnOfNotifications(document, after), ...policy.warnings];
  return { changes, warnings: warnings.map((issue) => toValidationIssue(issue, lineOf)) };
}

interface PlanScope {
  readonly write: Pick<TenantWrite, 'tenant' | 'context'>;
  readonly rights: UnsafeRights;
}

/** What is removed may free a name or a key that another object of the section takes. */
function removalsFirst(section: readonly PlannedWrite[]): readonly (readonly PlannedWrite[])[] {
  const isRemoval = ({ change }: PlannedWrite) => change?.op === 'delete';
  return [section.filter(isRemoval), section.filter((planned) => !isRemoval(planned))];
}

/** All writes, in stages one after the other, that lead from `before` to the document, in their order, with the faults that only the stored state shows. */
export async function planChanges(
  dependencies: WriteDependencies,
  document: ResolvedDocument,
  before: CurrentState,
  { write, rights }: PlanScope,
): Promise<{ readonly plan: readonly (readonly PlannedWrite[])[]; readonly issues: readonly PlacedIssue[] }> {
  const { isInstanceOwner } = rights;
  const { ownAddresses } = dependencies;
  const scorer = document.risk === undefined ? [] : await checkScorer(document.risk, before.risk, rights);
  const findTemplate = await templatesOfDocument(document, before);
  const unsafe = [
    ...judgeUnsafe(document, before, { ...rights, findTemplate }),
    ...(await checkTemplateHosts(document, findTemplate)),
    ...judgeListens(document, before, { isInstanceOwner, ownAddresses }),
    ...scorer.map(({ path, message }) => ({ path: ['risk', ...path], message })),
    ...judgeNotifications(document, before, rights),
  ];
  const agents = await planAgents(dependencies, document.agents, before, write);
  const templates = await planTemplates(dependencies, document.templates, before, write);
  const sections = [
    await planSecrets(dependencies, document.secrets, before, write),
    // Each for itself: the number of a version is judged by those that are there.
    ...templates.plan.map((planned) => [planned]),
    planIntegrations(dependencies, document.integrations, before),
    agents.plan,
    planRisk(dependencies, document.risk, before.risk),
    planRules(dependencies, document.rules, before.rules, 'rule'),
    planRules(dependencies, document.globalRules, before.globalRules, 'global_rule'),
    planNotifications(dependencies, document.notifications, before),
  ];
  return { plan: sections.flatMap(removalsFirst), issues: [...unsafe, ...templates.issues, ...agents.issues] };
}
