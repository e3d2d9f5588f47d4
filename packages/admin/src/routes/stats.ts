import { z } from 'zod';
import type { AdminDependencies } from '../dependencies.ts';
import type { AdminScope } from './admin-scope.ts';

const statsView = z.object({
  tenant: z.string(),
  agents: z.int(),
  integrations: z.int(),
  secrets: z.int(),
  rules: z.int().describe('In force'),
  auditEntries: z.int(),
});

export function statsRoutes(scope: AdminScope, { repositories, now }: AdminDependencies): void {
  scope.get(
    '/stats',
    {
      config: { permission: 'read' },
      schema: { tags: ['stats'], summary: 'What the tenant has, in numbers', response: { 200: statsView } },
    },
    async ({ actor: { tenant } }) => {
      const [{ agents, integrations, secrets, rules }, auditEntries] = await Promise.all([
        repositories.tenantLimits.usage(tenant, now(), { kinds: ['agents', 'integrations', 'secrets', 'rules'] }),
        repositories.audit.size(tenant),
      ]);
      return { tenant, agents, integrations, secrets, rules, auditEntries };
    },
  );
}
