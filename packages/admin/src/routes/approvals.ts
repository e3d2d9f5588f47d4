import { APPROVAL_STATUSES } from '@postern/db/ports';
import { nameSchema } from '@postern/schemas';
import { z } from 'zod';
import { approvalDetailView, approvalView, viewApproval, viewApprovalDetail } from '../approvals/approval-views.ts';
import { approve, deny, findApproval, grantContext } from '../approvals/decide.ts';
import { createElectorates } from '../approvals/electorate.ts';
import { openSealedCopy } from '../approvals/sealed-copy.ts';
import type { AdminDependencies } from '../dependencies.ts';
import { pageOf, pageQuery, readPageOf } from '../paging.ts';
import { type AdminScope, idParams, isoTimeSchema } from './admin-scope.ts';

const tags = ['approvals'];
/** Audit entries keep as much of a reason. */
const WORDS_MAX = 500;
const words = z.string().trim().min(1).max(WORDS_MAX);

const grantBody = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('once') }),
    z.strictObject({ kind: z.literal('times'), times: z.int().min(1) }),
    z.strictObject({ kind: z.literal('until'), until: isoTimeSchema }),
    z.strictObject({ kind: z.literal('rule') }),
  ])
  .describe('Default: once. More than the rule or the tenant allows is refused, never cut down');
const approveBody = z.strictObject({ grant: grantBody.optional(), note: words.optional() });
const denyBody = z.strictObject({
  reason: words,
  rule: z
    .strictObject({ expiresAt: isoTimeSchema })
    .optional()
    .describe('The same call asks nobody until then; default: for a minute'),
});

export function approvalRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  readRoutes(scope, dependencies);

  scope.post(
    '/approvals/:id/approve',
    {
      config: { permission: 'decide' },
      schema: {
        tags,
        summary: 'Approve a call: one person’s yes',
        params: idParams,
        body: approveBody.nullish(),
        response: { 200: approvalView },
      },
    },
    async ({ actor, params, body }) => {
      const { grant, note } = body ?? {};
      const asked = grant?.kind === 'until' ? { ...grant, until: Date.parse(grant.until) } : grant;
      const approval = await approve(dependencies, { actor, id: params.id }, { grant: asked, note });
      return viewApproval(approval, await createElectorates(dependencies.repositories)(approval));
    },
  );

  scope.post(
    '/approvals/:id/deny',
    {
      config: { permission: 'decide' },
      schema: {
        tags,
        summary: 'Deny a call, which ends its approval',
        params: idParams,
        body: denyBody,
        response: { 200: approvalView },
      },
    },
    async ({ actor, params, body: { reason, rule } }) => {
      const expiresAt = rule === undefined ? undefined : Date.parse(rule.expiresAt);
      const approval = await deny(dependencies, { actor, id: params.id }, { reason, expiresAt });
      return viewApproval(approval, await createElectorates(dependencies.repositories)(approval));
    },
  );
}

function readRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  const { approvals, grants } = dependencies.repositories;

  scope.get(
    '/approvals',
    {
      config: { permission: 'approvals' },
      schema: {
        tags,
        summary: 'List approvals, newest first',
        querystring: pageQuery.extend({
          status: z.enum(APPROVAL_STATUSES).optional().describe('As it reads now'),
          agent: nameSchema.optional(),
        }),
        response: { 200: pageOf(approvalView) },
      },
    },
    ({ actor, query: { status, agent, ...page } }) => {
      const filter = { ...(status === undefined ? {} : { status }), ...(agent === undefined ? {} : { agent }) };
      const electorateOf = createElectorates(dependencies.repositories);
      return readPageOf(
        () => approvals.list(actor.tenant, filter, { ...page, nowMs: dependencies.now() }),
        async (approval) => viewApproval(approval, await electorateOf(approval)),
      );
    },
  );

  scope.get(
    '/approvals/:id',
    {
      config: { permission: 'approvals' },
      schema: {
        tags,
        summary: 'One approval, with the exact request that it is about',
        params: idParams,
        response: { 200: approvalDetailView },
      },
    },
    async ({ actor, params }) => {
      const at = dependencies.now();
      const approval = await findApproval(dependencies, actor.tenant, params.id, { at });
      const [electorate, copy, given] = await Promise.all([
        createElectorates(dependencies.repositories)(approval),
        openSealedCopy(dependencies, approval),
        grants.listByApproval(approval.tenant, approval.id, at),
      ]);
      const context = { ...grantContext(dependencies, approval), now: at };
      return viewApprovalDetail(approval, electorate, { copy, context, grants: given });
    },
  );
}
