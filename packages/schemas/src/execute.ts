import { z } from 'zod';
import { base64Schema, methodSchema, nameSchema } from './names.ts';

const headerValue = z.union([z.string(), z.array(z.string())]);

const callRequestSchema = z
  .strictObject({
    method: methodSchema,
    path: z.string().max(8192).optional(),
    url: z.string().max(8192).optional(),
    query: z.record(z.string(), z.union([z.string(), z.array(z.string())])).optional(),
    headers: z.record(z.string(), headerValue).optional(),
    body: z.unknown().optional().describe('Sent as JSON'),
    bodyText: z.string().optional(),
    bodyBase64: base64Schema.optional(),
  })
  .refine((request) => (request.path === undefined) !== (request.url === undefined), {
    message: 'give either path or url',
  })
  .refine(
    (request) =>
      [request.body !== undefined, request.bodyText !== undefined, request.bodyBase64 !== undefined].filter(Boolean)
        .length <= 1,
    { message: 'give at most one of body, bodyText and bodyBase64' },
  );

/** The body of `POST /v1/execute` and `POST /v1/explain`. */
export const executeRequestSchema = z.strictObject({
  integration: nameSchema,
  request: callRequestSchema,
  intent: z.string().max(500).optional(),
  idempotencyKey: z
    .string()
    .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 visible ASCII characters')
    .optional(),
  waitSeconds: z.int().min(0).max(300).optional(),
});

export type ExecuteRequest = z.infer<typeof executeRequestSchema>;
