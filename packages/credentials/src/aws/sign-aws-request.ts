import { makeUnprintable } from '../unprintable.ts';
import { type AwsKeys, type AwsScope, type AwsSignature, awsSignature, sha256Hex, toAmzDate } from './aws-signature.ts';
import { isS3Like } from './payload-hash.ts';

export interface AwsRequest {
  readonly method: string;
  /** Absolute, as it will be sent; or a path with its query, when `headers` has `host`. */
  readonly url: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>> | undefined;
  readonly body?: string | Uint8Array | undefined;
}

export interface SignAwsOptions {
  /** The time to sign with, milliseconds where a number; default: that of a given `x-amz-date`, else the clock's. */
  readonly now?: (() => number) | number | Date | undefined;
  /** In place of the hash of `body`, such as `UNSIGNED-PAYLOAD`; default: a given `x-amz-content-sha256`. */
  readonly payloadHash?: string | undefined;
  /** Whether `x-amz-content-sha256` is added; default: for S3. */
  readonly addsContentSha256?: boolean | undefined;
  /** Whether the session token is left out of what is signed, as a few services want it (it is added all the same). */
  readonly omitsSessionToken?: boolean | undefined;
}

export interface SignedAwsRequest extends AwsSignature {
  /** To be set on the request, in lower case: `authorization`, `x-amz-date` and what else the signature needs. */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * Signs one request for AWS (Signature Version 4). All given headers are signed but those that hops change and the ones the signature itself
 * makes. Changes nothing in `request`.
 */
export function signAwsRequest(
  request: AwsRequest,
  keys: AwsKeys & AwsScope,
  options: SignAwsOptions = {},
): SignedAwsRequest {
  const { region, service, sessionToken } = keys;
  const { host, pathAndQuery } = splitUrl(request.url);
  const headers = request.headers ?? {};
  const givenHash = findHeader(headers, 'x-amz-content-sha256');
  const amzDate = signingDate(options.now, findHeader(headers, 'x-amz-date'));
  const hash = options.payloadHash ?? givenHash ?? sha256Hex(request.body ?? '');
  const given = headersToSign(headers);
  const hasHost = findHeader(headers, 'host') !== undefined;
  const added: Record<string, string> = { 'x-amz-date': amzDate };
  const addsHash = options.addsContentSha256 ?? (isS3Like(service) || givenHash !== undefined);
  if (addsHash) added['x-amz-content-sha256'] = hash;
  const tokenHeader: Record<string, string> =
    sessionToken === undefined ? {} : { 'x-amz-security-token': sessionToken };
  const signedToken = options.omitsSessionToken === true ? {} : tokenHeader;
  const own = Object.entries({ ...(hasHost || host === undefined ? {} : { host }), ...added, ...signedToken });
  const parts = {
    method: request.method,
    pathAndQuery,
    headers: [...given, ...own.flat()],
    payloadHash: hash,
    isS3: isS3Like(service),
  };
  const signature = awsSignature(parts, keys, { region, service }, amzDate);
  return makeUnprintable({
    ...signature,
    headers: { ...added, ...tokenHeader, authorization: signature.authorization },
  });
}

/** Made by the signature, or changed on the way. */
const UNSIGNED: ReadonlySet<string> = new Set([
  'authorization',
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
  'x-amz-content-sha256',
  'x-amz-date',
  'x-amz-security-token',
  'x-amzn-trace-id',
]);

type Headers = Readonly<Record<string, string | readonly string[]>>;

function findHeader(headers: Headers, sought: string): string | undefined {
  const value = Object.entries(headers).find(([name]) => name.toLowerCase() === sought)?.[1];
  return typeof value === 'object' ? value[0] : value;
}

const AMZ_DATE = /^\d{8}T\d{6}Z$/;

function signingDate(now: SignAwsOptions['now'], given: string | undefined): string {
  if (now === undefined && given !== undefined && AMZ_DATE.test(given)) return given;
  return toAmzDate(Number(typeof now === 'function' ? now() : (now ?? Date.now())));
}

function headersToSign(headers: Headers): string[] {
  return Object.entries(headers).flatMap(([name, values]) => {
    const lower = name.toLowerCase();
    if (UNSIGNED.has(lower)) return [];
    return (typeof values === 'string' ? [values] : values).flatMap((value) => [lower, value]);
  });
}

/** The URL's own spelling is kept, for it is what is sent. */
function splitUrl(url: string): { readonly host: string | undefined; readonly pathAndQuery: string } {
  const match = /^([a-z]+):\/\/([^/?#]*)([^#]*)/i.exec(url);
  if (match === null) return { host: undefined, pathAndQuery: url.split('#', 1)[0] ?? url };
  const [, scheme = '', authority = '', rest = ''] = match;
  const isDefaultPort = scheme.toLowerCase() === 'https' ? /:443$/ : /:80$/;
  return { host: authority.replace(isDefaultPort, ''), pathAndQuery: rest.startsWith('/') ? rest : `/${rest}` };
}
