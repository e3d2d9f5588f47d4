import type { PolicyVersionRecord, PolicyVersionSummary } from '@postern/db/ports';
import { diffPolicies, POLICY_CHANGE_OPS } from '@postern/policy';
import { DEFAULT_RISK, riskSchema, ruleSchema } from '@postern/schemas';
import { z } from 'zod';
import { DOCUMENT_CHARACTERS_MAX } from '../config/read-yaml.ts';
import type { AdminDependencies } from '../dependencies.ts';
import { pageOf, pageQuery, readPage } from '../paging.ts';
import { activateVersion, findVersion } from '../policies/activate-version.ts';
import { createDraft } from '../policies/create-draft.ts';
import { readPolicyDocument } from '../policies/policy-content.ts';
import { refOf, versionGuard, versionTag } from '../policies/version-guard.ts';
import { isoTime } from '../views.ts';
import { type AdminScope, originOf } from './admin-scope.ts';

const tags = ['policies'];
const time = z.string().describe('ISO 8601, UTC');
const note = z.string().min(1).max(500).describe('Why, in words');

const versionParams = z.object({
  id: z
    .string()
    .min(1)
    .max(128)
    .describe('Id or number of a version, "active", or "previous": the one that was active before'),
});

const summaryView = z.object({
  id: z.string(),
  number: z.int().describe('Counts the versions of the tenant from 1'),
  status: z.enum(['draft', 'active', 'superseded']),
  contentHash: z.string().describe('SHA-256 of the document, hex'),
  policyVersion: z.string().optional().describe('What decisions name while it is active'),
  note: note.optional(),
  base: z.int().optional().describe('Number of the version that was active when this one was made'),
  createdBy: z.string(),
  createdAt: time,
  activatedAt: time.optional(),
});
const versionView = summaryView.extend({ rules: z.array(ruleSchema), risk: riskSchema });
const comparedView = z.object({ id: z.string(), number: z.int(), contentHash: z.string() });
const diffView = z.object({
  from: comparedView.nullable(),
  to: comparedView,
  changes: z.array(
    z.object({
      rule: z.string().nullable().describe('Null: what is no rule'),
      op: z.enum(POLICY_CHANGE_OPS),
      words: z.string(),
    }),
  ),
});

const draftBody = z.strictObject({
  rules: z.array(ruleSchema).describe('All rules of the policy; those not named are disabled when it is activated'),
  risk: riskSchema.optional().describe('Absent: as it is in force'),
  note: note.optional(),
});
const expectedActive = z
  .union([z.int().min(1), z.string().min(1).max(128), z.null()])
  .optional()
  .describe(
    'Id or number of the version that is to be replaced, null for none; refused with conflict when another is active',
  );
const activationBody = z.strictObject({ expectedActive }).nullish();

export function policyRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  readRoutes(scope, dependencies);
  diffRoute(scope, dependencies);
  for (const what of ['activate', 'rollback'] as const) activationRoute(scope, dependencies, what);

  scope.post(
    '/policies',
    {
      config: { permission: 'write' },
      bodyLimit: DOCUMENT_CHARACTERS_MAX,
      schema: { tags, summary: 'Make a draft, checked whole', body: draftBody, response: { 201: versionView } },
    },
    async (request, reply) => {
      const { isInstanceOwner } = request.actor;
      const rights = { isInstanceOwner, unsafeAddressCeiling: dependencies.unsafeAddressCeiling };
      const version = await createDraft(dependencies, { ...originOf(request), ...request.body, rights });
      const active = await activeVersion(dependencies, version.tenant);
      return reply.code(201).header('etag', versionTag(version, active)).send(viewVersion(version));
    },
  );
}

function readRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  const { repositories } = dependencies;

  scope.get(
    '/policies',
    {
      config: { permission: 'read' },
      schema: {
        tags,
        summary: 'Versions of the policy, newest first, without their rules',
        querystring: pageQuery,
        response: { 200: pageOf(summaryView) },
      },
    },
    ({ actor, query }) => readPage(() => repositories.policyVersions.listByTenant(actor.tenant, query), viewSummary),
  );

  scope.get(
    '/policies/:id',
    {
      config: { permission: 'read' },
      schema: { tags, summary: 'One version of the policy', params: versionParams, response: { 200: versionView } },
    },
    async ({ actor, params }, reply) => {
      const version = await findVersion(repositories, actor.tenant, refOf(params.id));
      const active = await activeVersion(dependencies, actor.tenant);
      return reply.header('etag', versionTag(version, active)).send(viewVersion(version));
    },
  );

  scope.get(
    '/policies/:id/document',
    {
      config: { permission: 'read' },
      schema: {
        tags,
        summary: 'The exact bytes of a version (RFC 8785), of which contentHash is the SHA-256',
        params: versionParams,
        response: { 200: z.unknown() },
      },
      serializerCompiler: () => String,
    },
    async ({ actor, params }, reply) => {
      const { document } = await findVersion(repositories, actor.tenant, refOf(params.id));
      // As bytes: to a string the framework would add a charset, which this media type does not have.
      return reply.type('application/json').send(Buffer.from(document));
    },
  );
}

function diffRoute(scope: AdminScope, dependencies: AdminDependencies): void {
  const { repositories } = dependencies;
  scope.get(
    '/policies/:id/diff',
    {
      config: { permission: 'read' },
      schema: {
        tags,
        summary: 'What a version changes of another one, in words',
        params: versionParams,
        querystring: z.strictObject({ against: versionParams.shape.id.default('active') }),
        response: { 200: diffView },
      },
    },
    async ({ actor, params, query: { against } }) => {
      const to = await findVersion(repositories, actor.tenant, refOf(params.id));
      const isFirst = against === 'active' && (await activeVersion(dependencies, actor.tenant)) === undefined;
      const from = isFirst ? undefined : await findVersion(repositories, actor.tenant, refOf(against));
      const before = from === undefined ? { rules: [], risk: DEFAULT_RISK } : readPolicyDocument(from.document);
      const changes = diffPolicies(before, readPolicyDocument(to.document));
      return { from: from === undefined ? null : viewCompared(from), to: viewCompared(to), changes: [...changes] };
    },
  );
}

function activationRoute(scope: AdminScope, dependencies: AdminDependencies, what: 'activate' | 'rollback'): void {
  scope.post(
    `/policies/:id/${what}`,
    {
      config: { permission: 'write' },
      schema: {
        tags,
        summary:
          what === 'activate'
            ? 'Put a version in force; If-Match or expectedActive name what it is to replace'
            : 'Go back to a version that was in force before, to the byte',
        params: versionParams,
        body: activationBody,
        response: { 200: summaryView },
      },
    },
    async (request, reply) => {
      const { isInstanceOwner } = request.actor;
      const { version, active } = await activateVersion(dependencies, {
        ...originOf(request),
        ref: refOf(request.params.id),
        rights: { isInstanceOwner, unsafeAddressCeiling: dependencies.unsafeAddressCeiling },
        isRollback: what === 'rollback',
        guard: versionGuard(request.headers['if-match'], request.body?.expectedActive),
      });
      return reply.header('etag', versionTag(version, active)).send(viewSummary(version));
    },
  );
}

function activeVersion({ repositories }: AdminDependencies, tenant: string): Promise<PolicyVersionSummary | undefined> {
  return repositories.policyVersions.getPolicyVersionSummary(tenant, 'active');
}

function viewSummary(version: PolicyVersionSummary): z.output<typeof summaryView> {
  const { id, number, status, contentHash, policyVersion, base, createdBy, createdAt, activatedAt } = version;
  return {
    id,
    number,
    status,
    contentHash,
    ...(policyVersion === undefined ? {} : { policyVersion }),
    ...(version.note === undefined ? {} : { note: version.note }),
    ...(base === undefined ? {} : { base }),
    createdBy,
    createdAt: isoTime(createdAt),
    ...(activatedAt === undefined ? {} : { activatedAt: isoTime(activatedAt) }),
  };
}

function viewVersion(version: PolicyVersionRecord): z.output<typeof versionView> {
  const { rules, risk } = readPolicyDocument(version.document);
  return { ...viewSummary(version), rules: [...rules], risk };
}

function viewCompared({ id, number, contentHash }: PolicyVersionSummary): z.output<typeof comparedView> {
  return { id, number, contentHash };
}
