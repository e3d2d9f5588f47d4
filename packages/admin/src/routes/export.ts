import { configJsonSchema } from '@postern/schemas';
import { z } from 'zod';
import { readCurrentState } from '../config/current-state.ts';
import { exportDocument, exportYaml } from '../config/export-document.ts';
import type { AdminDependencies } from '../dependencies.ts';
import { type AdminScope, originOf } from './admin-scope.ts';

const tags = ['configuration'];
const asIs = () => (payload: unknown) => (typeof payload === 'string' ? payload : JSON.stringify(payload));

export function exportRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  const { repositories, runInTransaction, now } = dependencies;

  scope.get(
    '/export',
    {
      config: { permission: 'export' },
      schema: {
        tags,
        summary:
          'The stored configuration as a document, without secrets and keys; YAML, or JSON where Accept prefers it',
        produces: ['application/yaml', 'application/json'],
        response: { 200: z.unknown() },
      },
      serializerCompiler: asIs,
    },
    async (request, reply) => {
      const { actor, requestId, tenant } = originOf(request);
      const state = await readCurrentState(repositories, tenant);
      const document = exportDocument(tenant, state, { withGlobal: request.actor.isInstanceOwner });
      // A reading that the audit log tells of, but no change: no stamp for the data plane.
      const entry = {
        at: now(),
        tenant,
        type: 'export',
        actor,
        subject: 'config',
        ...(requestId && { requestId }),
      } as const;
      await runInTransaction((context) => repositories.audit.append(entry, context));
      if (prefersJson(request.headers.accept)) return reply.type('application/json').send(document);
      return reply.type('application/yaml').send(exportYaml(document));
    },
  );

  scope.get(
    '/config-schema',
    {
      config: { permission: 'read' },
      schema: { tags, summary: 'The JSON Schema of configuration documents', response: { 200: z.unknown() } },
      serializerCompiler: asIs,
    },
    async (_request, reply) => reply.type('application/schema+json').send(configJsonSchema()),
  );
}

/** Whether JSON is named, and not after YAML (RFC 9110 section 12.5.1, without weights but by order). */
function prefersJson(accept: string | undefined): boolean {
  const types = (accept ?? '')
    .toLowerCase()
    .split(',')
    .map((part) => part.split(';', 1)[0]?.trim() ?? '');
  const json = types.indexOf('application/json');
  const yaml = types.findIndex((type) => type.endsWith('yaml'));
  return json !== -1 && (yaml === -1 || json < yaml);
}
