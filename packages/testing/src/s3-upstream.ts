import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { crc32Base64, readAwsChunks } from './aws-chunks.ts';
import { type AwsIdentity, sigV4Fault } from './sigv4-fault.ts';
import { type StubApi, startStubApi } from './stub-api.ts';
import type { RecordedRequest } from './upstream.ts';

export interface S3Upstream extends StubApi {
  /** What is stored, by `bucket/key`. */
  readonly objects: ReadonlyMap<string, Buffer>;
}

interface Store {
  readonly objects: Map<string, Buffer>;
  /** Parts by the id of their upload, then by number. */
  readonly uploads: Map<string, Map<number, Buffer>>;
}

/**
 * A server that speaks enough of the S3 API for its official client: objects put whole, in chunks with trailers and in parts, and got back.
 * It verifies the signature and the hash or checksum of each body.
 */
export async function startS3Upstream(identity: Omit<AwsIdentity, 'service'>): Promise<S3Upstream> {
  const store: Store = { objects: new Map(), uploads: new Map() };
  const stub = await startStubApi({
    credentialFault: (request) => sigV4Fault(request, { ...identity, service: 's3' }),
    refuse: (response, fault) => answerError(response, 403, 'SignatureDoesNotMatch', fault),
    handler: async (request, response, hands) => {
      const content = contentOf(request);
      if (typeof content === 'string') return answerError(response, 400, 'BadDigest', content);
      const { pathname, searchParams } = new URL(request.url, 'http://stub');
      const key = decodeURIComponent(pathname.slice(1));
      if (request.method === 'POST') return answerPost(store, key, searchParams, response);
      if (request.method === 'PUT') return answerPut(store, { key, content, query: searchParams }, response);
      const object = store.objects.get(key);
      if (object === undefined) return answerError(response, 404, 'NoSuchKey', `nothing at ${key}`);
      response.writeHead(200, { 'content-length': object.byteLength, etag: etagOf(object) });
      const half = object.byteLength >> 1;
      response.write(object.subarray(0, half));
      await hands.streamsHeld();
      return response.end(object.subarray(half));
    },
  });
  return Object.assign(Object.create(stub) as StubApi, { objects: store.objects });
}

interface Put {
  readonly key: string;
  readonly content: Buffer;
  readonly query: URLSearchParams;
}

function answerPut(store: Store, { key, content, query }: Put, response: ServerResponse): unknown {
  const uploadId = query.get('uploadId');
  if (uploadId === null) store.objects.set(key, content);
  else {
    const parts = store.uploads.get(uploadId);
    if (parts === undefined) return answerError(response, 404, 'NoSuchUpload', uploadId);
    parts.set(Number(query.get('partNumber')), content);
  }
  return response.writeHead(200, { etag: etagOf(content), 'content-length': 0 }).end();
}

function answerPost(store: Store, key: string, query: URLSearchParams, response: ServerResponse): unknown {
  if (query.has('uploads')) {
    const uploadId = `upload-${store.uploads.size + 1}`;
    store.uploads.set(uploadId, new Map());
    return answerXml(response, 200, 'InitiateMultipartUploadResult', { UploadId: uploadId });
  }
  const parts = store.uploads.get(query.get('uploadId') ?? '');
  if (parts === undefined) return answerError(response, 404, 'NoSuchUpload', query.get('uploadId') ?? '');
  const inOrder = [...parts].sort(([left], [right]) => left - right).map(([, content]) => content);
  store.objects.set(key, Buffer.concat(inOrder));
  return answerXml(response, 200, 'CompleteMultipartUploadResult', { Key: key });
}

/** The bytes of the object, or what is wrong with the body. */
function contentOf({ headers, body }: RecordedRequest): Buffer | string {
  const hash = headers['x-amz-content-sha256'];
  const told = headers['x-amz-checksum-crc32'];
  if (hash !== 'STREAMING-UNSIGNED-PAYLOAD-TRAILER') {
    if (hash !== createHash('sha256').update(body).digest('hex')) return 'the hash is not that of the body';
    return told === undefined || told === crc32Base64(body) ? Buffer.from(body) : 'another checksum';
  }
  const chunks = readAwsChunks(body);
  if (chunks === undefined) return 'the body is not in chunks as it says';
  const { content, trailers } = chunks;
  if (headers['x-amz-decoded-content-length'] !== String(content.byteLength)) return 'another length than was told';
  return trailers[headers['x-amz-trailer'] ?? ''] === crc32Base64(content)
    ? content
    : 'another checksum in the trailer';
}

function etagOf(content: Uint8Array): string {
  return `"${createHash('md5').update(content).digest('hex')}"`;
}

function answerError(response: ServerResponse, status: number, code: string, message: string): void {
  answerXml(response, status, 'Error', { Code: code, Message: message });
}

function answerXml(response: ServerResponse, status: number, root: string, members: Record<string, string>): void {
  const escaped = (text: string) => text.replace(/[<>&]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const inner = Object.entries(members).map(([name, value]) => `<${name}>${escaped(value)}</${name}>`);
  const text = `<?xml version="1.0" encoding="UTF-8"?>\n<${root}>${inner.join('')}</${root}>`;
  const fields = { 'content-type': 'application/xml', 'content-length': Buffer.byteLength(text) };
  response.writeHead(status, fields).end(text);
}
