import { DbError } from '@postern/db/ports';
import type { PolicyTestReport } from '@postern/policy';
import { policyTestDocumentSchema, Rejection } from '@postern/schemas';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { DOCUMENT_CHARACTERS_MAX } from '../config/read-yaml.ts';
import type { AdminDependencies } from '../dependencies.ts';
import { readSectionsInForce } from '../policies/policy-in-force.ts';
import { simulateCalls } from '../policies/simulate-calls.ts';
import { type DraftSections, draftSchema, readSimulationGround, readStoredDraft } from '../policies/simulate-draft.ts';
import { simulationQuery, simulationTimes } from '../policies/simulate-range.ts';
import { type SimulationAnswer, simulationView } from '../policies/simulate-views.ts';
import { overlaidSections, runTestsOn } from '../policies/tested-policy.ts';
import { toValidationIssue } from '../validation/check-shape.ts';
import { invalid } from '../validator.ts';
import { type AdminScope, idParams } from './admin-scope.ts';

const tags = ['policies'];
const AFTER = 'tells what would have become of recorded calls; nothing is changed or sent';

/**
 * Trying a policy before it takes force. Nothing here writes. Simulations take turns: each uses the event loop that serves calls, a few
 * milliseconds at a time, and several at once would take more of it.
 */
export function policyTrialRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  testRoute(scope, dependencies);
  let turn: Promise<unknown> = Promise.resolve();
  let waiting = 0;

  async function simulate(
    request: SimulationRequest,
    reply: FastifyReply,
    draft: DraftSections,
  ): Promise<SimulationAnswer> {
    if (waiting >= WAITING_MAX) throw new Rejection('overloaded', 'Too many simulations wait for their turn.');
    waiting += 1;
    const answer = turn
      .then(() => answerSimulation(dependencies, request, reply, draft))
      .finally(() => {
        waiting -= 1;
      });
    turn = answer.catch(() => undefined);
    return await answer;
  }

  scope.post(
    '/policies/simulate',
    {
      // Those who may take the log home may ask all of it at once.
      config: { permission: 'export' },
      bodyLimit: DOCUMENT_CHARACTERS_MAX,
      serializerCompiler: asText,
      schema: {
        tags,
        summary: `Simulate a draft: ${AFTER}`,
        querystring: simulationQuery,
        body: draftSchema,
        response: { 200: simulationView },
      },
    },
    async (request, reply) => {
      const { rules, risk, global, policy } = request.body;
      const { tenant } = request.actor;
      const stored = policy === undefined ? undefined : await readStoredDraft(dependencies, tenant, policy);
      return simulate(request, reply, stored ?? { rules, risk, globalRules: global?.rules });
    },
  );

  scope.post(
    '/policies/:id/simulate',
    {
      config: { permission: 'export' },
      serializerCompiler: asText,
      schema: {
        tags,
        summary: `Simulate a stored version: ${AFTER}`,
        params: idParams,
        querystring: simulationQuery,
        response: { 200: simulationView },
      },
    },
    async (request, reply) => {
      return simulate(request, reply, await readStoredDraft(dependencies, request.actor.tenant, request.params.id));
    },
  );
}

/** Well within what clients wait for an answer. */
const ANSWER_MS_MAX = 10_000;
/** The running one among them. */
const WAITING_MAX = 8;
/** What runs without a pause for calls. */
const TESTS_MAX = 1_000;

/** Sections as in `postern.yaml`; one that is absent is what is in force. */
const testsBody = policyTestDocumentSchema
  .omit({ version: true, tenant: true, policy: true, secrets: true })
  .extend({ tests: policyTestDocumentSchema.shape.tests.max(TESTS_MAX) });

const testReportView = z.object({
  passed: z.int(),
  failed: z.int(),
  results: z.array(
    z.object({
      name: z.string(),
      isPassed: z.boolean(),
      problems: z.array(z.string()).describe('What was expected and did not come'),
      decision: z
        .record(z.string(), z.unknown())
        .optional()
        .describe('The decision with its reasons; absent where the call could not be made'),
    }),
  ),
});

function testRoute(scope: AdminScope, dependencies: AdminDependencies): void {
  scope.post(
    '/policies/test',
    {
      config: { permission: 'read' },
      bodyLimit: DOCUMENT_CHARACTERS_MAX,
      schema: {
        tags,
        summary: 'Run tests of policy on the sections given, and on what is in force where one is not',
        body: testsBody,
        response: { 200: testReportView },
      },
      serializerCompiler: asText,
    },
    async ({ actor, body: { tests, ...given } }) => {
      const inForce = await readSectionsInForce(dependencies, actor.tenant);
      const tested = await runTestsOn(overlaidSections(inForce, given), tests);
      if ('issues' in tested) throw invalid(tested.issues.map((issue) => toValidationIssue(issue)));
      return viewReport(tested.report);
    },
  );
}

function viewReport({ passed, failed, results }: PolicyTestReport): z.output<typeof testReportView> {
  return {
    passed,
    failed,
    results: results.map(({ name, isPassed, problems, decision }) => {
      return {
        name,
        isPassed,
        problems: [...problems],
        ...(decision === undefined ? {} : { decision: { ...decision } }),
      };
    }),
  };
}

type SimulationRequest = Pick<FastifyRequest, 'actor'> & { readonly query: z.output<typeof simulationQuery> };

/** The answer may have ten thousand calls, and is of our own making: it is not checked against its schema. */
const asText = () => (payload: unknown) => JSON.stringify(payload);

async function answerSimulation(
  dependencies: AdminDependencies,
  { actor: { tenant }, query }: SimulationRequest,
  reply: FastifyReply,
  draft: DraftSections,
): Promise<SimulationAnswer> {
  const { current, draft: drafted, ground, warnings } = await readSimulationGround(dependencies, tenant, draft);
  const times = simulationTimes(query, dependencies.now());
  const { limit, cursor } = query;
  const range = { tenant, ...times, limit, cursor, msMax: ANSWER_MS_MAX };
  const policies = { current, draft: drafted, ground };
  const result = await simulateCalls(dependencies.repositories.audit, policies, range, () => !reply.raw.closed).catch(
    (cause: unknown) => {
      if (cursor === undefined || !(cause instanceof DbError) || cause.code !== 'invalid') throw cause;
      throw invalid([{ field: 'cursor', message: 'is not a cursor of this list' }]);
    },
  );
  return {
    from: new Date(times.from).toISOString(),
    to: new Date(times.to).toISOString(),
    policies: { current: current.version, draft: drafted.version },
    ...result,
    warnings,
  };
}
