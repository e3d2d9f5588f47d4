import { isAgentKey } from '@postern/auth';
import type { DbRepositories } from '@postern/db/ports';
import type { Credential, Integration } from '@postern/schemas';
import { effectiveIntegration, type FindTemplate } from '@postern/templates';
import type { OwnAddresses, WriteDependencies } from '../dependencies.ts';
import { findListenConflicts, judgeListen } from '../listen-members.ts';
import { readAll } from '../paging.ts';
import { unfitness, withOpenedSecret } from '../secret-values.ts';
import type { TenantWrite } from '../tenant-write.ts';
import { judgeUnsafeMembers, type UnsafeRights } from '../unsafe-members.ts';
import type { PlacedIssue } from '../validation/check-shape.ts';
import { checkIntegration, duplicatesOf } from './check-integration.ts';
import type { CurrentState } from './current-state.ts';
import type { ResolvedDocument } from './resolved-document.ts';

const SECRET_CHARACTERS_MAX = 65_536;

/** What the resolved values alone can be judged by. Integrations are checked once more: a certificate may have been a reference. */
export async function checkDocument(document: ResolvedDocument): Promise<readonly PlacedIssue[]> {
  const issues: PlacedIssue[] = [];
  for (const [name, { value }] of document.secrets ?? []) {
    if (value.length > SECRET_CHARACTERS_MAX) {
      issues.push({ path: ['secrets', name], message: `must have at most ${SECRET_CHARACTERS_MAX} characters` });
    }
  }
  for (const [index, integration] of (document.integrations ?? []).entries()) {
    const checked = await checkIntegration(integration);
    issues.push(...checked.issues.map(({ path, message }) => ({ path: ['integrations', index, ...path], message })));
  }
  return [...issues, ...checkKeys(document)];
}

function checkKeys({ agents = [] }: ResolvedDocument): PlacedIssue[] {
  const withKeys = agents.flatMap(({ key }, index) => (key === undefined ? [] : [{ key, index }]));
  const issues = withKeys
    .filter(({ key }) => !isAgentKey(key))
    .map(({ index }) => {
      const message = 'is not an agent key (format or checksum); "postern keys generate" makes one';
      return { path: ['agents', index, 'key'], message };
    });
  const doubled = duplicatesOf(withKeys.map(({ key }) => key));
  return [
    ...issues,
    ...doubled.map((place) => {
      return {
        path: ['agents', withKeys[place]?.index ?? 0, 'key'],
        message: 'is the key of another agent of the document',
      };
    }),
  ];
}

/** Members that open the machine, judged against what is stored. A template may bring hosts. */
export function judgeUnsafe(
  document: ResolvedDocument,
  before: CurrentState,
  { findTemplate, ...rights }: UnsafeRights & { readonly findTemplate: FindTemplate },
): PlacedIssue[] {
  const effective = (integration: Integration) => effectiveIntegration(integration, findTemplate);
  const stored = new Map(before.integrations.map(({ name, spec }) => [name, effective(spec)]));
  return (document.integrations ?? []).flatMap((integration, index) => {
    const issues = judgeUnsafeMembers(effective(integration), stored.get(integration.name), rights);
    return issues.map(({ path, message }) => ({ path: ['integrations', index, ...path], message }));
  });
}

/** Own addresses, judged against what is stored. */
export function judgeListens(
  document: ResolvedDocument,
  before: CurrentState,
  rights: { readonly isInstanceOwner: boolean; readonly ownAddresses: OwnAddresses },
): PlacedIssue[] {
  const stored = new Map(before.integrations.map(({ name, spec }) => [name, spec]));
  return (document.integrations ?? []).flatMap((integration, index) => {
    const issues = judgeListen(integration, stored.get(integration.name), rights);
    return issues.map(({ path, message }) => ({ path: ['integrations', index, ...path], message }));
  });
}

/** Own addresses that others have too, once all is written. */
export async function checkListensAreFree(
  { repositories }: WriteDependencies,
  { integrations = [] }: ResolvedDocument,
  write: Pick<TenantWrite, 'tenant' | 'context'>,
): Promise<readonly PlacedIssue[]> {
  const listening = new Set(integrations.flatMap(({ name, listen }) => (listen === null ? [] : [name])));
  if (listening.size === 0) return [];
  const conflicts = await findListenConflicts(repositories, listening, write);
  return integrations.flatMap(({ name }, index) => {
    const message = conflicts.get(name);
    return message === undefined ? [] : [{ path: ['integrations', index, 'listen'], message }];
  });
}

/** Own addresses that are not listened on after all: taken, but of no use yet. */
export function closedListens(
  { ownAddresses }: WriteDependencies,
  { integrations = [] }: ResolvedDocument,
  tenant: string,
): readonly PlacedIssue[] {
  const faults = new Map(ownAddresses.faults(tenant).map(({ integration, message }) => [integration, message]));
  return integrations.flatMap(({ name }, index) => {
    const message = faults.get(name);
    return message === undefined ? [] : [{ path: ['integrations', index, 'listen'], message }];
  });
}

/** A global rule stands in every tenant's policy, where no rule of the tenant may have its id. */
export async function checkGlobalIds(
  { tenants, policyRules }: DbRepositories,
  { globalRules = [] }: ResolvedDocument,
  ownTenant: string,
): Promise<readonly PlacedIssue[]> {
  if (globalRules.length === 0) return [];
  const issues: PlacedIssue[] = [];
  for (const { name: tenant } of await readAll((page) => tenants.list(page))) {
    // The policy compiler sees the tenant of the document itself.
    if (tenant === ownTenant) continue;
    for (const [index, { id }] of globalRules.entries()) {
      const rule = await policyRules.getPolicyRuleById(tenant, id);
      if (rule === undefined || rule.disabledAt !== undefined) continue;
      issues.push({ path: ['global', 'rules', index, 'id'], message: `is the id of a rule of tenant ${tenant}` });
    }
  }
  return issues;
}

/** Credentials that could not carry their secret: of all integrations as they will be, where document or secret is new. */
export async function checkSecretsFit(
  dependencies: WriteDependencies,
  document: ResolvedDocument,
  after: CurrentState,
  { tenant, context }: Pick<TenantWrite, 'tenant' | 'context'>,
): Promise<readonly PlacedIssue[]> {
  const issues: PlacedIssue[] = [];
  for (const { spec } of after.integrations) {
    const { credential } = spec;
    if (credential.type === 'none') continue;
    const given = document.secrets?.get(credential.secret);
    if (given !== undefined) {
      const message = unfitness(credential, given.value);
      if (message !== undefined) {
        issues.push({ path: ['secrets', credential.secret], message: `${message} (integration ${spec.name})` });
      }
      continue;
    }
    const index = placeOf(spec, document);
    if (index === undefined) continue;
    const active = await dependencies.repositories.secrets.getActiveSecretEnvelope(tenant, credential.secret, context);
    const message = active && withOpenedSecret(dependencies, active, (bytes) => fault(credential, bytes));
    if (message !== undefined) issues.push({ path: ['integrations', index, 'credential', 'secret'], message });
  }
  return issues;
}

function fault(credential: Credential, bytes: Buffer): string | undefined {
  return unfitness(credential, bytes.toString('utf8'));
}

/** Credentials of the document whose secret is not stored; calls are refused until it is. */
export function missingSecrets(document: ResolvedDocument, after: CurrentState): readonly PlacedIssue[] {
  const stored = new Set(after.secrets.map(({ name }) => name));
  const ofScorer = document.risk?.scorer?.secret;
  const scorer: PlacedIssue[] =
    ofScorer === undefined || stored.has(ofScorer)
      ? []
      : [
          {
            path: ['risk', 'scorer', 'secret'],
            message: `there is no secret ${ofScorer} yet; the scorer counts as down until there is`,
          },
        ];
  const ofIntegrations = (document.integrations ?? []).flatMap(({ credential }, index): PlacedIssue[] => {
    if (credential.type === 'none' || stored.has(credential.secret)) return [];
    const message = `there is no secret ${credential.secret} yet; calls are refused until there is`;
    return [{ path: ['integrations', index, 'credential', 'secret'], message }];
  });
  return [...scorer, ...ofIntegrations];
}

function placeOf({ name }: Integration, { integrations = [] }: ResolvedDocument): number | undefined {
  const index = integrations.findIndex((integration) => integration.name === name);
  return index === -1 ? undefined : index;
}
