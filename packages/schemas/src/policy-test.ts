import { z } from 'zod';
import { TRUST_LEVELS } from './agent.ts';
import { configDocumentSchema } from './config-document.ts';
import { environmentSchema, methodSchema, nameSchema, uniqueList } from './names.ts';

const texts = z.union([z.string(), z.array(z.string())]);
const values = z.union([z.string(), z.number(), z.boolean(), z.array(z.union([z.string(), z.number(), z.boolean()]))]);
const count = z.int().min(0);
const ids = z.array(z.string().min(1).max(128));

const testedAgentSchema = z.strictObject({
  name: nameSchema,
  roles: uniqueList(nameSchema).optional(),
  trust: z.union([z.enum(TRUST_LEVELS), z.int().min(0).max(4)]).optional(),
  environment: environmentSchema.optional(),
});

const testedCallSchema = z
  .strictObject({
    agent: z.union([nameSchema, testedAgentSchema]).describe('The name of an agent of the document, or one of its own'),
    integration: nameSchema,
    method: methodSchema.optional().describe('Default: GET'),
    path: z.string().startsWith('/', 'must begin with "/"').max(8_192).optional().describe('Below the base URL'),
    url: z.string().max(8_192).optional().describe('All of it, instead of path'),
    query: z.record(z.string(), values).optional(),
    headers: z.record(z.string(), texts).optional(),
    body: z.unknown().optional().describe('The JSON value that the body is'),
    form: z.record(z.string(), texts).optional().describe('The fields of a body that is a form'),
    bodyInspected: z.boolean().optional().describe('false: a body that could not be read'),
    action: nameSchema.optional().describe('Default: the one of the integration that method and path are'),
    tool: z
      .strictObject({ name: z.string().min(1), server: z.string().optional(), arguments: z.unknown().optional() })
      .optional(),
    risk: z.number().min(0).max(1).optional().describe('A score from elsewhere; it can only raise what the call shows'),
    at: z.iso.datetime({ offset: true }).optional().describe('Default: 2026-01-01T00:00:00Z'),
    counts: z.strictObject({ minute: count, hour: count, day: count }).optional(),
    hostIsNew: z.boolean().optional().describe('The agent has not called this host in 30 days'),
    tenant: nameSchema.optional(),
  })
  .refine(({ path, url }) => (path === undefined) !== (url === undefined), { message: 'give either path or url' })
  .refine(({ body, form }) => body === undefined || form === undefined, { message: 'give body or form, not both' });

/** One test of policy: a call, and what must be decided of it. Of what `expect` leaves out anything goes. */
export const policyTestSchema = z.strictObject({
  name: z.string().min(1).max(200),
  call: testedCallSchema,
  expect: z.strictObject({
    outcome: z.enum(['allow', 'deny', 'require_approval']),
    rule: z.string().min(1).max(128).nullable().optional().describe('The rule that is told; null: none'),
    hard: z.boolean().optional(),
    matched: ids.optional().describe('All rules that match, ascending'),
    limits: ids.optional().describe('The rate limits that the call must pass'),
    shadow: ids.optional().describe('The rules in shadow that match'),
    errors: ids.optional().describe('The rules whose condition fails'),
  }),
});
export type PolicyTest = z.infer<typeof policyTestSchema>;

/** A file of policy tests: sections of `postern.yaml`, or the file that has them, and tests. */
export const policyTestDocumentSchema = configDocumentSchema.extend({
  version: z.literal(1).optional(),
  policy: z
    .string()
    .min(1)
    .max(1_024)
    .optional()
    .describe('A file whose policy is tested, from the folder of this one'),
  tests: z.array(policyTestSchema).min(1).max(10_000),
});
export type PolicyTestDocument = z.infer<typeof policyTestDocumentSchema>;
