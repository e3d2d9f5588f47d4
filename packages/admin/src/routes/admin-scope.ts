import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifyRequest,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { WriteOrigin } from '../tenant-write.ts';

/** A server that takes zod schemas. */
export type AdminScope = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>;

/** `{id}`: an id or a name. */
export const idParams = z.object({ id: z.string().min(1).max(128).describe('Id or name') });

/** An answer without a body. */
export const noContent = z.null();

export const isoTimeSchema = z.iso.datetime({ offset: true }).describe('ISO 8601 time with an offset');

/** Who writes, as the audit entries tell it. */
export function originOf(request: FastifyRequest): WriteOrigin {
  return { tenant: request.actor.tenant, actor: request.actor.name, requestId: request.id };
}
