import { z } from 'zod';
import { credentialSchema } from './credential.ts';
import { listenAddressSchema } from './listen-address.ts';
import { cidrSchema, environmentSchema, hostSchema, methodSchema, nameSchema, uniqueList } from './names.ts';
import { templateReferenceSchema } from './template-reference.ts';

const milliseconds = z.int().min(1).max(86_400_000);
const bytes = z.int().min(0).max(17_179_869_184);

export const RISK_TIERS = ['low', 'medium', 'high'] as const;

/** A named group of method and path patterns. Paths mean the complete path of the canonical URL, base path included. */
export const actionSchema = z.strictObject({
  name: nameSchema,
  methods: uniqueList(methodSchema).min(1).describe('The methods the action covers'),
  paths: uniqueList(z.string().startsWith('/', 'must begin with "/"').max(1024))
    .min(1)
    .describe('Path patterns: *, {name}, **'),
  risk: z.enum(RISK_TIERS).optional().describe('The risk tier'),
  approval: z.enum(['none', 'required']).default('none').describe('required: acts as a require_approval rule'),
  volatile: uniqueList(z.string().min(1).max(128)).default([]).describe('Header names left out of the descriptor'),
  body: z
    .enum(['stream'])
    .optional()
    .describe(
      'stream: the body passes as it comes instead of being received first; then no idempotency key, approval or execute',
    ),
});

const timeoutsSchema = z.strictObject({
  connectMs: milliseconds.default(5_000).describe('To a connected (and verified) socket'),
  firstByteMs: milliseconds.default(30_000).describe('From the request sent to the first byte of the answer'),
  totalMs: milliseconds.default(30_000).describe('To the last byte of an ordinary response'),
  idleMs: milliseconds.default(60_000).describe('Between two pieces of an event stream'),
  streamMs: milliseconds.default(3_600_000).describe('The whole life of an event stream'),
});

const retrySchema = z.strictObject({
  attempts: z.int().min(1).max(10).default(3).describe('Tries at the upstream, the first included; 1: none again'),
  baseMs: z.int().min(0).max(86_400_000).default(200).describe('The wait before the second try, at most'),
  maxMs: z.int().min(0).max(86_400_000).default(5_000).describe('What that wait, doubled with each try, never passes'),
});

const breakerSchema = z.strictObject({
  failures: z.int().min(1).max(1_000).default(5).describe('Failed tries within windowMs that suspend calls'),
  windowMs: milliseconds.default(10_000).describe('How long a failure is remembered'),
  openMs: milliseconds.default(30_000).describe('How long calls are suspended before one may try again'),
});

const limitsSchema = z.strictObject({
  requestBytes: bytes.default(10_485_760),
  responseBytes: bytes.default(10_485_760),
  streamBytes: bytes.default(104_857_600),
  concurrency: z.int().min(1).max(10_000).default(64).describe('Calls to the upstream at once; more fail at once'),
});

const networkSchema = z.strictObject({
  ports: uniqueList(z.int().min(1).max(65_535)).optional().describe("Default: the base URL's"),
  schemes: uniqueList(z.enum(['http', 'https']))
    .optional()
    .describe("Default: the base URL's"),
  unsafeAllowAddresses: uniqueList(cidrSchema)
    .default([])
    .describe('The only way to an upstream on a non-global address'),
  unsafeAllowCleartextCredentials: z.boolean().default(false).describe('Send the credential over http'),
});

const tlsSchema = z.strictObject({
  ca: z.string().nullable().default(null).describe('PEM of a private certificate authority of this upstream'),
});

const idempotencySchema = z.strictObject({
  required: uniqueList(methodSchema).default([]).describe('Methods that must bring an Idempotency-Key'),
  ttlSeconds: z.int().min(60).max(604_800).default(86_400).describe('How long a key lives; after that it is new'),
  upstreamHeader: z
    .string()
    .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/, 'must be a field name')
    .nullable()
    .default(null)
    .describe(
      'The upstream honours keys in this field: it gets one derived from the caller’s, and may be sent a call again',
    ),
});

const allow = uniqueList(z.string().min(1).max(128)).default(['*']);
const headersSchema = z.strictObject({
  request: z.strictObject({ allow }).prefault({}),
  response: z.strictObject({ allow }).prefault({}),
});

/** A named upstream of a tenant, as in `postern.yaml`. */
export const integrationSchema = z.strictObject({
  name: nameSchema,
  baseUrl: z.string().max(2048).describe('https://host[:port][/path], no query, no credentials'),
  hosts: uniqueList(hostSchema)
    .min(1)
    .optional()
    .describe("Exact host names; default: the template's where the base URL's host is one of them, else that host"),
  environments: uniqueList(environmentSchema).optional().describe('Default: all'),
  disabled: z.boolean().default(false),
  template: templateReferenceSchema
    .nullable()
    .default(null)
    .describe(
      "name@version of a template: its actions, and the provider's limit signals; own actions of the same name replace its",
    ),
  credential: credentialSchema.default({ type: 'none' }),
  timeouts: timeoutsSchema.prefault({}),
  retry: retrySchema.prefault({}),
  breaker: breakerSchema.prefault({}),
  limits: limitsSchema.prefault({}),
  network: networkSchema.prefault({}),
  tls: tlsSchema.prefault({}),
  headers: headersSchema.prefault({}),
  idempotency: idempotencySchema.prefault({}),
  scrub: z
    .boolean()
    .default(true)
    .describe('Search answers for what was injected and take it out; false: they pass unsearched'),
  listen: listenAddressSchema
    .nullable()
    .default(null)
    .describe('An own address of this integration, such as 127.0.0.1:8101; set by an instance owner alone'),
  actions: z.array(actionSchema).default([]),
});

export type Integration = z.infer<typeof integrationSchema>;
export type IntegrationInput = z.input<typeof integrationSchema>;
export type Action = z.infer<typeof actionSchema>;
