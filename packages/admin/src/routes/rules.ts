import type { DbContext, PolicyRuleRecord } from '@postern/db/ports';
import { nameSchema, Rejection, ruleSchema } from '@postern/schemas';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { storedForm } from '../config/rules-section.ts';
import type { AdminDependencies } from '../dependencies.ts';
import { checkIfMatch, entityTag } from '../entity-tag.ts';
import { pageOf, pageQuery, readPage } from '../paging.ts';
import { writePolicyInTenant } from '../policy-write.ts';
import { invalid, standingAt } from '../validator.ts';
import { ruleView, viewRule } from '../views.ts';
import { type AdminScope, noContent, originOf } from './admin-scope.ts';

const tags = ['rules'];
const PLACE = ['rules', 0];
const ruleParams = z.object({ id: nameSchema });
const ignored = z.unknown().optional().describe('As answered; ignored');
const ruleBody = ruleSchema.extend({
  id: nameSchema.optional(),
  origin: ignored,
  createdAt: ignored,
  updatedAt: ignored,
  disabledAt: ignored,
});

export function ruleRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  readRoutes(scope, dependencies);
  disableRoutes(scope, dependencies);
  const { policyRules } = dependencies.repositories;

  scope.post(
    '/rules',
    {
      config: { permission: 'write' },
      schema: { tags, summary: 'Create a rule', body: standingAt(PLACE, ruleSchema), response: { 201: ruleView } },
    },
    async (request, reply) => {
      const rule = storedForm(request.body);
      const origin = { ...originOf(request), ruleId: rule.id };
      const record = await writePolicyInTenant(dependencies, origin, async (write) => {
        const created = await policyRules.createPolicyRule(write.tenant, rule, 'api', write.context);
        await write.record('admin.created', `rule:${rule.id}`);
        return created;
      });
      return reply.code(201).header('etag', entityTag(record.version)).send(viewRule(record));
    },
  );

  scope.put(
    '/rules/:id',
    {
      config: { permission: 'write' },
      schema: {
        tags,
        summary: 'Replace a rule and, unless it says "disabled", enable it',
        params: ruleParams,
        body: standingAt(PLACE, ruleBody),
        response: { 200: ruleView },
      },
      // Faults are told with the id of the rule, which the body need not repeat.
      preValidation: async (request) => {
        const written: unknown = request.body;
        if (typeof written !== 'object' || written === null || Array.isArray(written)) return;
        request.body = { ...request.params, ...written } as typeof request.body;
      },
    },
    async (request, reply) => {
      const {
        origin: _origin,
        createdAt: _created,
        updatedAt: _updated,
        disabledAt: _disabled,
        ...body
      } = request.body;
      const { id } = request.params;
      if (body.id !== undefined && body.id !== id) throw invalid([{ field: 'id', message: 'cannot be changed' }]);
      const rule = storedForm({ ...body, id });
      const record = await writePolicyInTenant(dependencies, { ...originOf(request), ruleId: id }, async (write) => {
        const current = await findRule(dependencies, write.tenant, id, write.context);
        checkIfMatch(request, current.version);
        const options = { ifVersion: current.version };
        const updated = await policyRules.updatePolicyRule(write.tenant, rule, options, write.context);
        await write.record('admin.updated', `rule:${id}`);
        return updated;
      });
      return reply.header('etag', entityTag(record.version)).send(viewRule(record));
    },
  );
}

function readRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  const { policyRules } = dependencies.repositories;

  scope.get(
    '/rules',
    {
      config: { permission: 'read' },
      schema: {
        tags,
        summary: 'List rules, disabled ones too',
        querystring: pageQuery,
        response: { 200: pageOf(ruleView) },
      },
    },
    ({ actor, query }) => readPage(() => policyRules.listByTenant(actor.tenant, query), viewRule),
  );

  scope.get(
    '/rules/:id',
    {
      config: { permission: 'read' },
      schema: { tags, summary: 'One rule', params: ruleParams, response: { 200: ruleView } },
    },
    async ({ actor, params }, reply) => {
      const record = await findRule(dependencies, actor.tenant, params.id);
      return reply.header('etag', entityTag(record.version)).send(viewRule(record));
    },
  );
}

/** A rule is never deleted: `DELETE` disables it too, so that past decisions keep their reason. */
function disableRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  const { policyRules } = dependencies.repositories;

  const disable = (request: FastifyRequest, id: string) => {
    return writePolicyInTenant(dependencies, { ...originOf(request), ruleId: id }, async (write) => {
      const current = await findRule(dependencies, write.tenant, id, write.context);
      checkIfMatch(request, current.version);
      const isDisabled = await policyRules.disablePolicyRule(write.tenant, id, dependencies.now(), write.context);
      if (!isDisabled) return current;
      await write.record('admin.removed', `rule:${id}`);
      return await findRule(dependencies, write.tenant, id, write.context);
    });
  };

  scope.post(
    '/rules/:id/disable',
    {
      config: { permission: 'write' },
      schema: { tags, summary: 'Disable a rule', params: ruleParams, response: { 200: ruleView } },
    },
    async (request, reply) => {
      const record = await disable(request, request.params.id);
      return reply.header('etag', entityTag(record.version)).send(viewRule(record));
    },
  );

  scope.delete(
    '/rules/:id',
    {
      config: { permission: 'write' },
      schema: { tags, summary: 'Disable a rule (as POST …/disable)', params: ruleParams, response: { 204: noContent } },
    },
    async (request, reply) => {
      await disable(request, request.params.id);
      return reply.code(204).send(null);
    },
  );
}

async function findRule(
  { repositories }: AdminDependencies,
  tenant: string,
  id: string,
  context: DbContext = {},
): Promise<PolicyRuleRecord> {
  const rule = await repositories.policyRules.getPolicyRuleById(tenant, id, context);
  if (rule === undefined) throw new Rejection('not_found', 'There is no such rule.');
  return rule;
}
