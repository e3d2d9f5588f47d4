import { z } from 'zod';
import { nameSchema } from './names.ts';

/** RFC 9110 section 5.1: a field name is a token. */
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;

const secret = nameSchema.describe('The name of the secret in the vault');

/** How an integration's secret reaches the upstream. One member per type; fields as in the specification, section 12. */
export const credentialSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('none') }),
  z.strictObject({ type: z.literal('bearer'), secret }),
  z.strictObject({
    type: z.literal('header'),
    secret,
    name: z.string().regex(FIELD_NAME, 'must be a header field name').describe('The header the secret is written to'),
    prefix: z.string().max(64).optional().describe('Text before the secret, such as "Token "'),
  }),
  z.strictObject({
    type: z.literal('query'),
    secret,
    name: z.string().min(1).max(128).describe('The query parameter the secret is appended as'),
  }),
  z.strictObject({
    type: z.literal('basic'),
    secret,
    username: z.string().max(256).describe('The user name; the secret is the password (RFC 7617)'),
  }),
]);

export type Credential = z.infer<typeof credentialSchema>;
