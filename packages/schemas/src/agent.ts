import { z } from 'zod';
import { cidrSchema, environmentSchema, nameSchema, uniqueList } from './names.ts';

/** Trust levels in ascending order: untrusted is 0, admin is 4. */
export const TRUST_LEVELS = ['untrusted', 'low', 'medium', 'high', 'admin'] as const;
export type TrustLevel = (typeof TRUST_LEVELS)[number];

/** The number 0..4 that rules compare. */
export function trustNumber(level: TrustLevel): number {
  return TRUST_LEVELS.indexOf(level);
}

export const KEY_SCOPES = ['call', 'explain', 'buffer'] as const;
export type KeyScope = (typeof KEY_SCOPES)[number];

/** An authenticated caller, as in `postern.yaml` (its key is apart: see the configuration document). */
export const agentSchema = z.strictObject({
  name: nameSchema,
  owner: z.string().min(1).max(128).optional().describe('The person answerable; may not approve its calls'),
  roles: uniqueList(nameSchema).default([]),
  trust: z.enum(TRUST_LEVELS).default('low'),
  environment: environmentSchema.optional(),
  addresses: uniqueList(cidrSchema).optional().describe('Networks the agent may call from; default: any'),
  disabled: z.boolean().default(false),
});

export type Agent = z.infer<typeof agentSchema>;
