import { CLAIM_RESOLUTIONS, CLAIM_STATES, type ClaimRecord } from '@postern/db/ports';
import { nameSchema, Rejection } from '@postern/schemas';
import { z } from 'zod';
import type { AdminDependencies } from '../dependencies.ts';
import { pageOf, pageQuery, readPage } from '../paging.ts';
import { isoTime } from '../views.ts';
import { type AdminScope, idParams } from './admin-scope.ts';

const tags = ['claims'];
const time = z.string().describe('ISO 8601, UTC');

const claimView = z.object({
  id: z.string(),
  agent: z.string(),
  integration: z.string(),
  key: z.string().describe('The idempotency key'),
  state: z.enum(CLAIM_STATES).describe('As it reads now'),
  fingerprint: z.string(),
  dispatches: z.int().describe('How often the call was sent, or may have been'),
  createdAt: time,
  expiresAt: time.describe('From then on the key is new; `unknown` and `dispatching` outlive it'),
  requestId: z.string().optional().describe('Of the last dispatch'),
  approvalId: z.string().optional(),
  dispatching: z.object({ node: z.string(), leaseUntil: time }).optional(),
  problem: z.object({ code: z.string(), status: z.int(), until: time.optional() }).optional(),
  answer: z.object({ bytes: z.int() }).optional().describe('An answer is stored, sealed, and replayed'),
  resolution: z.object({ outcome: z.enum(CLAIM_RESOLUTIONS), note: z.string(), by: z.string(), at: time }).optional(),
  retryAllowed: z.boolean().describe('One re-send will be let through'),
});

const resolveBody = z.strictObject({
  outcome: z
    .enum(CLAIM_RESOLUTIONS)
    .describe('done: it took effect; not_done: it did not, the key is free; retry: let one re-send through'),
  note: z.string().trim().min(1).max(500).describe('How you know'),
});

export function claimRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  readRoutes(scope, dependencies);

  scope.post(
    '/claims/:id/resolve',
    {
      config: { permission: 'resolve' },
      schema: {
        tags,
        summary: 'Say what became of a call whose outcome is unknown',
        params: idParams,
        body: resolveBody,
        response: { 200: claimView },
      },
    },
    async ({ actor, params, body }) => {
      const { repositories, now, events } = dependencies;
      const at = now();
      await findClaim(dependencies, actor.tenant, params.id);
      const resolution = { ...body, by: actor.name, at };
      const verdict = await repositories.claims.resolve(actor.tenant, params.id, resolution);
      if (!verdict.isDone) {
        const state = verdict.found?.state ?? 'gone';
        throw new Rejection('conflict', `The claim is ${state}: only one that is unknown can be resolved.`);
      }
      const { id, agent, integration, state, tenant } = verdict.claim;
      const data = { claimId: id, agent, integration, state, outcome: body.outcome, actor: actor.name };
      events.publish({ tenant, type: 'claim.resolved', at, data });
      return viewClaim(verdict.claim);
    },
  );
}

function readRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  const { claims } = dependencies.repositories;

  scope.get(
    '/claims',
    {
      config: { permission: 'read' },
      schema: {
        tags,
        summary: 'List claims of idempotency keys, newest first',
        description:
          'Where little matches, a page may hold fewer claims than asked for, or none, and yet a `nextCursor`. Only a page without one is the last.',
        querystring: pageQuery.extend({
          state: z.enum(CLAIM_STATES).optional().describe('As it reads now'),
          agent: nameSchema.optional(),
          integration: nameSchema.optional(),
        }),
        response: { 200: pageOf(claimView) },
      },
    },
    ({ actor, query: { state, agent, integration, ...page } }) => {
      const filter = {
        ...(state === undefined ? {} : { state }),
        ...(agent === undefined ? {} : { agent }),
        ...(integration === undefined ? {} : { integration }),
      };
      return readPage(() => claims.list(actor.tenant, filter, { ...page, nowMs: dependencies.now() }), viewClaim);
    },
  );

  scope.get(
    '/claims/:id',
    {
      config: { permission: 'read' },
      schema: { tags, summary: 'One claim', params: idParams, response: { 200: claimView } },
    },
    async ({ actor, params }) => viewClaim(await findClaim(dependencies, actor.tenant, params.id)),
  );
}

async function findClaim({ repositories, now }: AdminDependencies, tenant: string, id: string): Promise<ClaimRecord> {
  const claim = await repositories.claims.getById(tenant, id, now());
  if (claim === undefined) throw new Rejection('not_found', 'There is no such claim.');
  return claim;
}

function viewClaim(claim: ClaimRecord): z.output<typeof claimView> {
  const { id, agent, integration, key, state, fingerprint, fence, requestId, approvalId } = claim;
  const { owner, problem, answer, resolution } = claim;
  return {
    id,
    agent,
    integration,
    key,
    state,
    fingerprint,
    dispatches: fence,
    createdAt: isoTime(claim.createdAt),
    expiresAt: isoTime(claim.expiresAt),
    ...(requestId === undefined ? {} : { requestId }),
    ...(approvalId === undefined ? {} : { approvalId }),
    ...(owner === undefined ? {} : { dispatching: { node: owner.node, leaseUntil: isoTime(owner.leaseUntil) } }),
    ...(problem === undefined ? {} : { problem: viewProblem(problem) }),
    ...(answer === undefined ? {} : { answer: { bytes: answer.bytes } }),
    ...(resolution === undefined ? {} : { resolution: { ...resolution, at: isoTime(resolution.at) } }),
    retryAllowed: claim.isRetryAllowed,
  };
}

function viewProblem({ code, status, until }: NonNullable<ClaimRecord['problem']>) {
  return { code, status, ...(until === undefined ? {} : { until: isoTime(until) }) };
}
