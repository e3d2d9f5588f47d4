import { JsonError, parseJsonStrict } from '@postern/canonicalizer';
import { type ExecuteRequest, executeRequestSchema, Rejection, type ValidationIssue } from '@postern/schemas';
import { type BodyLimits, receiveBody } from '../body/receive-body.ts';
import { disposeBody, NO_BODY, type RequestBody } from '../body/request-body.ts';
import type { AdmittedRequest } from '../stages/admit.ts';
import type { RequestedCall } from '../stages/resolve.ts';
import { withoutOwnPreferences } from './own-preferences.ts';

/** Specification section 3: the JSON document of `execute` may have 16 MiB. */
const DOCUMENT_BYTES_MAX = 16_777_216;

/**
 * Reads the JSON description of a call from the body of `POST /v1/execute` or `/v1/explain`.
 *
 * @throws Rejection `unsupported_media_type`, `request_too_large`, `malformed_request` (no strict JSON), `validation_failed`.
 */
export async function readCallDocument(request: AdmittedRequest, spoolFolder: string): Promise<RequestedCall> {
  const contentType = request.exchange.request.headers['content-type'];
  if (contentType === undefined || !/^application\/json\s*(;|$)/i.test(contentType)) {
    throw new Rejection('unsupported_media_type', 'Send the call as application/json.');
  }
  const document = parseDocument(await receiveDocument(request, spoolFolder));
  if (document.idempotencyKey !== undefined) request.exchange.response.setHeader('postern-idempotency', 'none');
  return requestedCall(document);
}

/** The document itself is held in memory: it is parsed whole. */
async function receiveDocument(request: AdmittedRequest, spoolFolder: string): Promise<string> {
  const body = await receiveBody(request.exchange, { bytesMax: DOCUMENT_BYTES_MAX, spoolFolder });
  try {
    return decodeUtf8(await allBytes(body));
  } finally {
    disposeBody(body);
  }
}

async function allBytes(body: RequestBody): Promise<Uint8Array> {
  switch (body.kind) {
    case 'none':
      return new Uint8Array(0);
    case 'bytes':
      return body.bytes;
    case 'spooled': {
      const pieces: Uint8Array[] = [];
      for await (const piece of body.spool.read()) pieces.push(piece);
      return Buffer.concat(pieces);
    }
  }
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new Rejection('malformed_request', 'The body is not UTF-8.', { cause: error });
  }
}

function parseDocument(text: string): ExecuteRequest {
  let value: unknown;
  try {
    value = parseJsonStrict(text);
  } catch (error) {
    if (!(error instanceof JsonError)) throw error;
    throw new Rejection('malformed_request', `The body is not JSON as it is wanted here: ${error.message}`);
  }
  const parsed = executeRequestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues: ValidationIssue[] = parsed.error.issues.map((issue) => ({
    field: issue.path.join('.'),
    message: issue.message,
  }));
  throw new Rejection('validation_failed', 'The call is not described as it must be.', { details: { issues } });
}

function requestedCall(document: ExecuteRequest): RequestedCall {
  const { request } = document;
  const rawHeaders = flatHeaders(request.headers ?? {});
  const body = documentedBody(request);
  if (request.body !== undefined && !hasContentType(rawHeaders)) rawHeaders.push('content-type', 'application/json');
  const query = encodeQuery(request.query);
  return {
    integration: document.integration,
    method: request.method,
    rawHeaders: withoutOwnPreferences(rawHeaders),
    intent: document.intent,
    target: (integration) => {
      if (request.url === undefined)
        return integration.canonicaliser.fromPath(withQuery(request.path ?? '', query), 'unicode');
      return integration.canonicaliser.fromUrl(
        withQuery(request.url, query),
        integration.hosts,
        integration.spec.network.ports,
      );
    },
    body: (limits) => boundedBody(body, limits),
  };
}

function flatHeaders(headers: Readonly<Record<string, string | string[]>>): string[] {
  const flat: string[] = [];
  for (const [name, value] of Object.entries(headers)) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (!FIELD_NAME.test(name) || !FIELD_VALUE.test(item)) {
        throw new Rejection('validation_failed', 'A header is not well-formed.', {
          details: {
            issues: [
              {
                field: `request.headers.${name.slice(0, 64)}`,
                message:
                  'must be a field name (RFC 9110 section 5.1) with a value of visible ASCII characters, spaces and tabs',
              },
            ],
          },
        });
      }
      flat.push(name, item.trim());
    }
  }
  return flat;
}

const FIELD_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}$/;
const FIELD_VALUE = /^[\t\x20-\x7e]*$/;

function hasContentType(rawHeaders: readonly string[]): boolean {
  return rawHeaders.some((item, index) => index % 2 === 0 && item.toLowerCase() === 'content-type');
}

function documentedBody(request: ExecuteRequest['request']): Uint8Array | undefined {
  if (request.bodyText !== undefined) return Buffer.from(request.bodyText, 'utf8');
  if (request.bodyBase64 !== undefined) return Buffer.from(request.bodyBase64, 'base64');
  if (request.body !== undefined) return Buffer.from(JSON.stringify(request.body), 'utf8');
  return undefined;
}

function boundedBody(bytes: Uint8Array | undefined, limits: BodyLimits): RequestBody {
  if (bytes === undefined || bytes.byteLength === 0) return NO_BODY;
  if (bytes.byteLength > limits.bytesMax) {
    throw new Rejection('request_too_large', `The body may have at most ${limits.bytesMax} bytes.`);
  }
  return { kind: 'bytes', bytes };
}

function encodeQuery(query: ExecuteRequest['request']['query']): string {
  const pairs: string[] = [];
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const item of Array.isArray(value) ? value : [value]) {
      pairs.push(`${encodeURIComponent(name)}=${encodeURIComponent(item)}`);
    }
  }
  return pairs.join('&');
}

function withQuery(target: string, query: string): string {
  if (query === '') return target;
  return `${target}${target.includes('?') ? '&' : '?'}${query}`;
}
