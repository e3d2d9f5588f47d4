import { z } from 'zod';
import { agentSchema } from './agent.ts';
import { integrationSchema } from './integration.ts';
import { environmentSchema, nameSchema, uniqueList } from './names.ts';
import { NOTIFICATION_ENDPOINTS_MAX, notificationEndpointSchema } from './notification.ts';
import { riskSchema } from './risk.ts';
import { ruleSchema } from './rule.ts';
import { templateSchema } from './template.ts';

/** `env:NAME` or `file:PATH`; resolved by the command line, or by the gateway for its start-up file alone. */
const from = z.string().regex(/^(?:env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$/, 'must be env:NAME or file:PATH');

/** A value in clear (warned about in a file) or a reference to where the reader finds it. */
export const valueSourceSchema = z.union([z.strictObject({ from }), z.strictObject({ value: z.string().min(1) })]);
export type ValueSource = z.infer<typeof valueSourceSchema>;

const environments = uniqueList(environmentSchema).optional().describe('Environments the secret is for; default: all');

export const secretEntrySchema = z.union([
  z.strictObject({ from, environments }),
  z.strictObject({ value: z.string().min(1).max(65_536), environments }),
]);

const integrationEntrySchema = integrationSchema.extend({
  tls: z
    .strictObject({
      ca: z
        .union([z.string(), z.strictObject({ from })])
        .nullable()
        .default(null),
    })
    .prefault({}),
});

const agentEntrySchema = agentSchema.extend({
  key: z.union([z.string(), valueSourceSchema]).optional().describe('An agent key in key format, or where to read it'),
});

/** `postern.yaml`: what it lacks is left alone; in a section it has, what earlier files made and it no longer names is removed. */
export const configDocumentSchema = z.strictObject({
  version: z.literal(1),
  tenant: nameSchema.default('default'),
  global: z
    .strictObject({ rules: z.array(ruleSchema).default([]) })
    .optional()
    .describe('Instance owner only: hard denies over all tenants'),
  risk: riskSchema.optional(),
  secrets: z.record(nameSchema, secretEntrySchema).optional(),
  templates: z
    .array(templateSchema)
    .optional()
    .describe('Own templates, one item a version; a version that is published never changes'),
  integrations: z.array(integrationEntrySchema).optional(),
  agents: z.array(agentEntrySchema).optional(),
  rules: z.array(ruleSchema).optional(),
  notifications: z
    .array(notificationEndpointSchema)
    .max(NOTIFICATION_ENDPOINTS_MAX)
    .optional()
    .describe('Who is told of approvals and other events, by signed webhooks'),
});

export type ConfigDocument = z.infer<typeof configDocumentSchema>;

/** Members of the full format that this version refuses rather than ignores. Path patterns use `*` for one step. */
export const UNSUPPORTED_FIELDS: readonly string[] = ['redaction'];

/** The published JSON Schema (draft 2020-12) of `postern.yaml`. */
export function configJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(configDocumentSchema, { io: 'input', target: 'draft-2020-12' });
  return { ...schema, $id: 'https://postern.dev/schemas/postern.yaml.json', title: 'postern.yaml' };
}
