import { readPrefer } from '@postern/approvals';
import { JsonError, parseJsonStrict } from '@postern/canonicalizer';
import { type ExecuteRequest, executeRequestSchema, Rejection, type ValidationIssue } from '@postern/schemas';
import type { BodyMemory } from '../body/body-memory.ts';
import { type BodyLimits, noMemory, receiveBody } from '../body/receive-body.ts';
import { disposeBody, NO_BODY, type RequestBody } from '../body/request-body.ts';
import type { Spool } from '../body/spool.ts';
import { keyOfRequest } from '../claims/read-key.ts';
import type { Gateway } from '../gateway.ts';
import type { AdmittedRequest } from '../stages/admit.ts';
import type { Caller } from '../stages/authenticate.ts';
import type { RequestedCall } from '../stages/resolve.ts';
import { bodyMemoryOf } from '../tenants/tenant-bounds.ts';
import { withoutOwnPreferences } from './own-preferences.ts';

/** Specification section 3: the JSON document of `execute` may have 16 MiB. */
const DOCUMENT_BYTES_MAX = 16_777_216;

/**
 * Reads the JSON description of a call from the body of `POST /v1/execute` or `/v1/explain`.
 *
 * @throws Rejection `unsupported_media_type`, `request_too_large`, `malformed_request` (no strict JSON), `validation_failed`.
 */
export async function readCallDocument(
  request: AdmittedRequest,
  gateway: Gateway,
  { tenant }: Pick<Caller, 'tenant'>,
): Promise<RequestedCall> {
  const contentType = request.exchange.request.headers['content-type'];
  if (contentType === undefined || !/^application\/json\s*(;|$)/i.test(contentType)) {
    throw new Rejection('unsupported_media_type', 'Send the call as application/json.');
  }
  const document = parseDocument(
    await receiveDocument(request, gateway.spoolFolder, bodyMemoryOf(gateway.bodyMemory, tenant)),
  );
  const { headers, headersDistinct } = request.exchange.request;
  const preferences = headers['prefer'] === undefined ? undefined : readPrefer(headersDistinct['prefer'] ?? []);
  return {
    ...requestedCall(document),
    claimKey: keyOf(document, request),
    waitSeconds: document.waitSeconds ?? preferences?.waitSeconds,
    respondsAsync: preferences?.respondAsync === true,
  };
}

/** From the document, or from the request's own header; both must say the same. */
function keyOf({ idempotencyKey }: ExecuteRequest, { exchange }: AdmittedRequest): string | undefined {
  const ofHeader = keyOfRequest(exchange.request);
  if (idempotencyKey === undefined) return ofHeader;
  exchange.response.setHeader('postern-idempotency', 'none');
  if (ofHeader === undefined || ofHeader === idempotencyKey) return idempotencyKey;
  throw new Rejection('malformed_request', 'Idempotency-Key and idempotencyKey name two keys; send one.');
}

/** The document itself is held in memory while it is parsed, and has to find room there. */
async function receiveDocument(request: AdmittedRequest, spoolFolder: string, memory: BodyMemory): Promise<string> {
  const body = await receiveBody(request.exchange, { bytesMax: DOCUMENT_BYTES_MAX, spoolFolder, memory });
  try {
    switch (body.kind) {
      case 'none':
        return '';
      case 'bytes':
        return decodeUtf8(body.bytes);
      case 'spooled':
        return await readSpooled(body.spool, memory);
    }
  } finally {
    disposeBody(body);
  }
}

async function readSpooled(spool: Spool, memory: BodyMemory): Promise<string> {
  if (!memory.take(spool.byteLength)) throw noMemory();
  try {
    return decodeUtf8(await spool.readAll());
  } finally {
    memory.give(spool.byteLength);
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
  // The parsed body is not kept while the call runs: it may take many times its text.
  const { url, path = '' } = request;
  return {
    integration: document.integration,
    method: request.method,
    rawHeaders: withoutOwnPreferences(rawHeaders),
    intent: document.intent,
    target: (integration) => {
      if (url === undefined) return integration.canonicaliser.fromPath(withQuery(path, query), 'unicode');
      return integration.canonicaliser.fromUrl(
        withQuery(url, query),
        integration.hosts,
        integration.spec.network.ports,
      );
    },
    body: (limits) => boundedBody(body, limits),
    streamedBody: () => {
      throw new Rejection(
        'target_invalid',
        'The action passes its body on as it comes; call it by base URL, host or own address.',
      );
    },
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
  if (!limits.memory.take(bytes.byteLength)) throw noMemory();
  return { kind: 'bytes', bytes, memory: limits.memory };
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
