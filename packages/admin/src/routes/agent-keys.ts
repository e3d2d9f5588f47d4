import { generateAgentKey, keyDigest } from '@postern/auth';
import { KEY_SCOPES, Rejection, uniqueList } from '@postern/schemas';
import { z } from 'zod';
import type { AdminDependencies } from '../dependencies.ts';
import { writeInTenant } from '../tenant-write.ts';
import { invalid } from '../validator.ts';
import { agentKeyView, isoTime, viewAgentKey } from '../views.ts';
import { type AdminScope, idParams, isoTimeSchema, noContent, originOf } from './admin-scope.ts';
import { findAgent } from './agents.ts';

const tags = ['agents'];
const scopes = uniqueList(z.enum(KEY_SCOPES)).min(1);
const newKeyBody = z
  .strictObject({
    expiresAt: isoTimeSchema.optional(),
    scopes: scopes.optional().describe('Default: all'),
  })
  .nullish();
const newKeyView = z.object({
  id: z.string().describe('Public part of the key; not secret'),
  key: z.string().describe('Shown this once'),
  expiresAt: z.string().nullable(),
  scopes: z.array(z.enum(KEY_SCOPES)),
});

export function agentKeyRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  const { agents } = dependencies.repositories;

  scope.get(
    '/agents/:id/keys',
    {
      config: { permission: 'read' },
      schema: {
        tags,
        summary: "List an agent's keys",
        params: idParams,
        response: { 200: z.object({ items: z.array(agentKeyView) }) },
      },
    },
    async ({ actor, params }) => {
      const agent = await findAgent(dependencies, actor.tenant, params.id);
      const keys = await agents.listKeys(actor.tenant, agent.id);
      return { items: keys.map(viewAgentKey) };
    },
  );

  scope.post(
    '/agents/:id/keys',
    {
      config: { permission: 'write' },
      schema: { tags, summary: 'Issue a key', params: idParams, body: newKeyBody, response: { 201: newKeyView } },
    },
    async (request, reply) => {
      const body = request.body ?? {};
      const expiresAt = readExpiry(body.expiresAt, dependencies.now());
      const { publicId, key } = generateAgentKey();
      const { keyId, digest } = keyDigest(key, dependencies.agentKeyHmacKeys[0]);
      const record = await writeInTenant(dependencies, originOf(request), async (write) => {
        const agent = await findAgent(dependencies, write.tenant, request.params.id, write.context);
        const created = await agents.createKey(
          {
            tenant: write.tenant,
            id: publicId,
            agentId: agent.id,
            digest: Buffer.from(digest).toString('base64'),
            digestKeyId: keyId,
            scopes: body.scopes ?? [...KEY_SCOPES],
            origin: 'api',
            ...(expiresAt === undefined ? {} : { expiresAt }),
          },
          write.context,
        );
        await write.record('admin.created', `agent-key:${agent.name}/${publicId}`);
        return created;
      });
      const expiry = record.expiresAt === undefined ? null : isoTime(record.expiresAt);
      return reply.code(201).send({ id: publicId, key, expiresAt: expiry, scopes: [...record.scopes] });
    },
  );

  scope.delete(
    '/agents/:id/keys/:keyId',
    {
      config: { permission: 'write' },
      schema: {
        tags,
        summary: 'Revoke a key',
        params: idParams.extend({ keyId: z.string().min(1).max(64) }),
        response: { 204: noContent },
      },
    },
    async (request, reply) => {
      const { id, keyId } = request.params;
      await writeInTenant(dependencies, originOf(request), async (write) => {
        const agent = await findAgent(dependencies, write.tenant, id, write.context);
        const keys = await agents.listKeys(write.tenant, agent.id, write.context);
        if (!keys.some((key) => key.id === keyId)) throw new Rejection('not_found', 'The agent has no such key.');
        const isRevoked = await agents.revokeKey(write.tenant, keyId, dependencies.now(), write.context);
        if (isRevoked) await write.record('admin.removed', `agent-key:${agent.name}/${keyId}`);
      });
      return reply.code(204).send(null);
    },
  );
}

/** Milliseconds; a time that is not in the future is refused. */
export function readExpiry(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  const expiresAt = Date.parse(text);
  if (expiresAt > now) return expiresAt;
  throw invalid([{ field: 'expiresAt', message: 'must be in the future' }]);
}
