import { z } from 'zod';
import type { AdminDependencies, NodesReport } from '../dependencies.ts';
import { isoTime } from '../views.ts';
import type { AdminScope } from './admin-scope.ts';

const time = z.iso.datetime();

const nodesView = z.object({
  items: z.array(
    z.object({
      name: z.string(),
      version: z.string(),
      isAlive: z.boolean().describe('It has given a sign of life lately'),
      startedAt: time,
      seenAt: time,
      clockAheadMs: z.int().describe('How far its clock is ahead of the database’s, by which all nodes go'),
      hasRedis: z.boolean(),
      keyIds: z.array(z.string()).describe('Of its master keys; it seals with the first'),
    }),
  ),
  database: z.object({
    findings: z.array(z.object({ code: z.string(), message: z.string() })).describe('What weakens the database'),
  }),
});

const NOBODY: NodesReport = { now: 0, nodes: [], findings: [] };

export function nodeRoutes(scope: AdminScope, { nodes = async () => NOBODY }: AdminDependencies): void {
  scope.get(
    '/nodes',
    {
      config: { permission: 'instance' },
      schema: {
        tags: ['nodes'],
        summary: 'The nodes that share the database; none where it is one gateway’s own',
        response: { 200: nodesView },
      },
    },
    async () => {
      const { now, nodes: known, findings } = await nodes();
      const items = known.map(({ node, version, aliveUntil, startedAt, seenAt, clockAheadMs, hasRedis, keyIds }) => ({
        ...{ name: node, version, isAlive: aliveUntil > now, clockAheadMs, hasRedis, keyIds: [...keyIds] },
        startedAt: isoTime(startedAt),
        seenAt: isoTime(seenAt),
      }));
      return { items, database: { findings: findings.map(({ code, message }) => ({ code, message })) } };
    },
  );
}
