import { z } from 'zod';
import { nameSchema } from './names.ts';

/** RFC 9110 section 5.1: a field name is a token. */
const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;

const secret = nameSchema.describe('The name of the secret in the vault');
const fieldName = z.string().regex(FIELD_NAME, 'must be a header field name');
const text = z.string().min(1).max(2048);

const tokenUrl = text.describe('Where tokens are asked for; its exact host is the only one ever asked. https');
const scope = text.optional().describe('Scopes to ask for, parted by spaces');
const auth = z
  .enum(['basic', 'body'])
  .default('basic')
  .describe('How the client shows its secret: in the header Authorization, or in the body of the token request');

export const JWT_ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'ES256', 'ES384', 'EdDSA'] as const;
export type JwtAlgorithm = (typeof JWT_ALGORITHMS)[number];

/** How an integration's secret reaches the upstream. One member per type; fields as in the specification, section 12. */
export const credentialSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('none') }),
  z.strictObject({ type: z.literal('bearer'), secret }),
  z.strictObject({
    type: z.literal('header'),
    secret,
    name: fieldName.describe('The header the secret is written to'),
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
  z.strictObject({
    type: z.literal('hmac'),
    secret,
    header: fieldName.describe('The header the signature is written to, as t={unix seconds},v1={hex}'),
    algorithm: z.enum(['sha256']).default('sha256').describe('The hash of the HMAC'),
  }),
  z.strictObject({
    type: z.literal('oauth2_client_credentials'),
    secret: nameSchema.describe('The name of the secret that holds the client secret'),
    tokenUrl,
    clientId: text.describe('The client as the token endpoint knows it'),
    scope,
    audience: text.optional().describe('Sent as the parameter audience, where the token endpoint asks for one'),
    auth,
  }),
  z.strictObject({
    type: z.literal('oauth2_refresh'),
    secret: nameSchema.describe(
      'The name of the secret that holds the refresh token; rotated ones become its next versions',
    ),
    tokenUrl,
    clientId: text.describe('The client that the refresh token was given to'),
    clientSecret: nameSchema
      .optional()
      .describe('The name of another secret, the client secret; absent for a public client'),
    scope,
    auth,
  }),
  z.strictObject({
    type: z.literal('aws_sigv4'),
    secret: nameSchema.describe(
      'The name of the secret that holds JSON: {accessKeyId, secretAccessKey, sessionToken?}',
    ),
    service: z
      .string()
      .regex(/^[a-z0-9-]{1,64}$/, 'must be an AWS service name such as s3 or execute-api')
      .describe('The service that is signed for, such as s3, dynamodb, execute-api'),
    region: z
      .string()
      .regex(/^[a-z0-9-]{1,64}$/, 'must be an AWS region such as eu-central-1')
      .describe('The region that is signed for, such as eu-central-1'),
  }),
  z.strictObject({
    type: z.literal('jwt_bearer'),
    secret: nameSchema.describe(
      'The name of the secret that holds a private key (PKCS#8 PEM) or the JSON of a Google service account',
    ),
    tokenUrl,
    issuer: text.optional().describe('The claim iss; default for a service account: its client_email'),
    clientEmail: text.optional().describe('Another name of issuer, as Google calls it'),
    subject: text.optional().describe('The claim sub; default for a PEM key: the issuer'),
    audience: text.optional().describe('The claim aud; default: the token URL'),
    scope,
    keyId: text.optional().describe('The header kid; default for a service account: its private_key_id'),
    algorithm: z.enum(JWT_ALGORITHMS).optional().describe('Default: RS256, ES256, ES384 or EdDSA, as the key is'),
  }),
  z.strictObject({
    type: z.literal('github_app'),
    secret: nameSchema.describe("The name of the secret that holds the app's private key, PEM as GitHub gives it"),
    appId: z.union([z.int().min(1), text]).describe('App ID or client ID of the app'),
    installationId: z
      .union([z.int().min(1), z.string().regex(/^[0-9]{1,20}$/, 'must be a number')])
      .describe('The installation whose tokens are asked for'),
    apiUrl: text.default('https://api.github.com').describe('Base URL of the API; another one for GitHub Enterprise'),
  }),
  z.strictObject({
    type: z.literal('mtls'),
    secret: nameSchema.describe(
      'The name of the secret that holds the client certificate, its chain and its private key, all PEM in one text',
    ),
  }),
]);

export type Credential = z.infer<typeof credentialSchema>;

/** The names of all secrets that a credential needs: what doctors and checks look for. */
export function secretNamesOf(credential: Credential): readonly string[] {
  if (credential.type === 'none') return [];
  if (credential.type !== 'oauth2_refresh' || credential.clientSecret === undefined) return [credential.secret];
  return [credential.secret, credential.clientSecret];
}
