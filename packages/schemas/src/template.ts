import { z } from 'zod';
import { actionSchema } from './integration.ts';
import { hostSchema, nameSchema, uniqueList } from './names.ts';

const headerName = z.string().regex(/^[a-z0-9!#$%&'*+.^_`|~-]{1,64}$/, 'must be a field name in lower case');

/** How the value of a limit signal's field tells when to come back. */
export const LIMIT_WAIT_FORMS = ['retry-after', 'epoch-seconds', 'epoch-milliseconds', 'seconds', 'duration'] as const;

/** An answer by which a provider says "not so fast": it slows the gateway as 429 with Retry-After does. */
export const limitSignalSchema = z.strictObject({
  statuses: z.array(z.int().min(400).max(599)).min(1).max(20).describe('Statuses of such an answer'),
  when: z
    .strictObject({
      header: headerName.describe('Name of the field, in lower case'),
      equals: z.string().max(128).optional().describe('The value it must have; absent: any'),
    })
    .optional()
    .describe('The field it must have, and with which value where one is named'),
  wait: z
    .strictObject({
      header: headerName.describe('Name of the field, in lower case'),
      as: z.enum(LIMIT_WAIT_FORMS).describe('How to read its value'),
    })
    .optional()
    .describe('The field that says when to come back; duration: as in 1m30s, 250ms'),
});
export type LimitSignal = z.infer<typeof limitSignalSchema>;

/** What a provider wants of a credential; the secret and the rest stand in the integration. */
const credentialShapeSchema = z.strictObject({
  type: nameSchema.describe('A credential type'),
  name: z.string().min(1).max(128).optional().describe('Of a header or query credential: the name'),
  prefix: z.string().max(64).optional().describe('Of a header credential: what stands before the secret'),
  hint: z.string().max(300).optional().describe('Where a person gets one, and with which rights'),
});

/** One immutable version of the description of a provider's API surface. */
export const templateSchema = z.strictObject({
  name: nameSchema.describe('With the version what integrations name it by'),
  version: z.int().min(1).max(999_999).describe('Above all versions of the name so far; a version never changes'),
  provider: z.string().min(1).max(64).describe('Constant over all versions of a name'),
  title: z.string().min(1).max(100).describe('For people'),
  description: z.string().max(500).default('').describe('For people: what to know before using it'),
  sources: uniqueList(z.url({ protocol: /^https$/ }))
    .min(1)
    .max(50)
    .describe("The provider's own documentation that this was read from"),
  baseUrl: z.string().max(2048).describe('The usual base URL; an integration names its own'),
  hosts: uniqueList(hostSchema)
    .max(50)
    .default([])
    .describe('Of an integration that names none, where the host of its base URL is one of these'),
  credential: credentialShapeSchema,
  actions: z.array(actionSchema).min(1).max(500).describe('Every one with a risk tier'),
  limitSignals: z
    .array(limitSignalSchema)
    .max(20)
    .default([])
    .describe('Answers by which the provider asks to slow down, beside 429 with Retry-After'),
});
export type Template = z.infer<typeof templateSchema>;
export type TemplateInput = z.input<typeof templateSchema>;
