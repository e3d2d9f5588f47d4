import { z } from 'zod';
import type { AdminDependencies } from '../dependencies.ts';
import { readAll } from '../paging.ts';
import type { AdminScope } from './admin-scope.ts';

const statsView = z.object({
  tenant: z.string(),
  agents: z.int(),
  integrations: z.int(),
  secrets: z.int(),
  rules: z.int().describe('In force'),
  auditEntries: z.int(),
});

export function statsRoutes(scope: AdminScope, { repositories }: AdminDependencies): void {
  scope.get(
    '/stats',
    {
      config: { permission: 'read' },
      schema: { tags: ['stats'], summary: 'What the tenant has, in numbers', response: { 200: statsView } },
    },
    async ({ actor: { tenant } }) => {
      const [agents, directory, auditEntries] = await Promise.all([
        readAll((page) => repositories.agents.listByTenant(tenant, page)),
        repositories.directory.load(tenant),
        repositories.audit.size(tenant),
      ]);
      return {
        tenant,
        agents: agents.length,
        integrations: directory?.integrations.length ?? 0,
        secrets: directory?.secrets.length ?? 0,
        rules: directory?.rules.length ?? 0,
        auditEntries,
      };
    },
  );
}
