import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { RecordedRequest } from './upstream.ts';

export interface AwsIdentity {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
  readonly service: string;
}

const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/;
const MUST_BE_SIGNED = ['host', 'x-amz-content-sha256', 'x-amz-date'];
/** AWS refuses requests whose time is further off. */
const SKEW_MS_MAX = 900_000;

/**
 * What is wrong with an S3 request's Signature Version 4; undefined when nothing is. Made from AWS's description of the algorithm
 * ("Create a signed AWS API request"), and by nobody who signs.
 */
export function sigV4Fault(request: RecordedRequest, identity: AwsIdentity): string | undefined {
  const { headers } = request;
  const match = AUTHORIZATION.exec(headers['authorization'] ?? '');
  if (match === null) return 'no signature of version 4';
  const [, keyId, day = '', region, service, names = '', signature = ''] = match;
  if (keyId !== identity.accessKeyId) return `the access key ${keyId}, which is none`;
  if (region !== identity.region || service !== identity.service) return `a signature for ${region} and ${service}`;
  const signed = names.split(';');
  const unsigned = [...MUST_BE_SIGNED, ...Object.keys(headers).filter((name) => name.startsWith('x-amz-'))];
  const forgotten = unsigned.filter((name) => !signed.includes(name));
  if (forgotten.length > 0) return `${forgotten.join(', ')} not signed`;
  const date = headers['x-amz-date'] ?? '';
  if (!date.startsWith(day) || Math.abs(Date.now() - timeOf(date)) > SKEW_MS_MAX) return `the time ${date}`;
  const scope = `${day}/${region}/${service}/aws4_request`;
  const hash = (text: string) => createHash('sha256').update(text).digest('hex');
  const toSign = ['AWS4-HMAC-SHA256', date, scope, hash(canonicalRequest(request, signed))].join('\n');
  const key = scope
    .split('/')
    .reduce<Uint8Array>((before, part) => hmac(before, part), Buffer.from(`AWS4${identity.secretAccessKey}`));
  return timingSafeEqual(hmac(key, toSign), Buffer.from(signature, 'hex')) ? undefined : 'another signature';
}

function hmac(key: Uint8Array, text: string): Uint8Array {
  return createHmac('sha256', key).update(text).digest();
}

/** `20260102T030405Z` */
function timeOf(date: string): number {
  return Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
}

function canonicalRequest({ method, url, headers }: RecordedRequest, signed: readonly string[]): string {
  const question = url.indexOf('?');
  const path = question < 0 ? url : url.slice(0, question);
  const query = question < 0 ? '' : url.slice(question + 1);
  return [
    method,
    path
      .split('/')
      .map((segment) => encode(decodeURIComponent(segment)))
      .join('/'),
    canonicalQuery(query),
    ...signed.map((name) => `${name}:${(headers[name] ?? '').trim().replace(/ +/g, ' ')}`),
    '',
    signed.join(';'),
    headers['x-amz-content-sha256'],
  ].join('\n');
}

function canonicalQuery(query: string): string {
  return query
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const [name = '', value = ''] = pair.split('=').map((part) => encode(decodeURIComponent(part)));
      return `${name}=${value}`;
    })
    .sort()
    .join('&');
}

/** RFC 3986 section 2.3: all but unreserved characters. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}
