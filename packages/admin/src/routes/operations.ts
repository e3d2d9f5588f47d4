import { z } from 'zod';
import type { AdminDependencies } from '../dependencies.ts';
import type { AdminScope } from './admin-scope.ts';

const tags = ['operations'];
const readinessView = z.object({ ready: z.boolean(), dependencies: z.record(z.string(), z.string()) });

/** What machines ask without a token. Holds no tenant's names. */
export function operationRoutes(scope: AdminScope, { readiness, metrics }: AdminDependencies): void {
  scope.get(
    '/healthz',
    {
      schema: { tags, summary: 'Whether the process lives', response: { 200: z.object({ status: z.literal('ok') }) } },
    },
    async () => ({ status: 'ok' as const }),
  );

  scope.get(
    '/readyz',
    {
      schema: {
        tags,
        summary: 'Whether calls can be served, with the state of each dependency',
        response: { 200: readinessView, 503: readinessView },
      },
    },
    async (_request, reply) => {
      const state = await readiness();
      return reply.code(state.ready ? 200 : 503).send({ ready: state.ready, dependencies: { ...state.dependencies } });
    },
  );

  scope.get(
    '/metrics',
    {
      schema: { tags, summary: 'Prometheus metrics', response: { 200: z.string() } },
      serializerCompiler: () => String,
    },
    async (_request, reply) => {
      const { contentType, text } = await metrics();
      return reply.type(contentType).send(text);
    },
  );
}
