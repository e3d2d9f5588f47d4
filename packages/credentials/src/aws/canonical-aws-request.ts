/** The parts of a request in the form that Signature Version 4 signs them in. All of it is public; nothing here is secret. */
export interface CanonicalAwsRequest {
  readonly text: string;
  /** Lower-case names, sorted, parted by semicolons. */
  readonly signedHeaders: string;
}

export interface CanonicalAwsParts {
  readonly method: string;
  /** As sent. */
  readonly pathAndQuery: string;
  /** Flat name, value pairs; all of them are signed. */
  readonly headers: readonly string[];
  /** Hex SHA-256 of the body, or one of the words that stand for it. */
  readonly payloadHash: string;
  /** S3 takes the path as it is: encoded once, dot segments and doubled slashes kept. All others: normalised and encoded once more. */
  readonly isS3: boolean;
}

/** AWS, "Create a signed AWS API request", step 1. */
export function canonicalAwsRequest(parts: CanonicalAwsParts): CanonicalAwsRequest {
  const { method, pathAndQuery, payloadHash, isS3 } = parts;
  const question = pathAndQuery.indexOf('?');
  const path = question < 0 ? pathAndQuery : pathAndQuery.slice(0, question);
  const query = question < 0 ? '' : pathAndQuery.slice(question + 1);
  const headers = canonicalHeaders(parts.headers);
  const signedHeaders = headers.map(([name]) => name).join(';');
  const lines = [
    method,
    isS3 ? s3Path(path) : normalisedPath(path),
    canonicalQuery(query),
    ...headers.map(([name, value]) => `${name}:${value}`),
    '',
    signedHeaders,
    payloadHash,
  ];
  return { text: lines.join('\n'), signedHeaders };
}

/** Bytes written as text, one character each. */
function toBytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

const ESCAPE = /%([0-9a-f]{2})/gi;

function decoded(bytes: string): string {
  return bytes.replace(ESCAPE, (_escape, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}

/** RFC 3986 section 2.3: letters, digits and `-._~` stay, every other byte is `%XX` in capitals. */
function encoded(bytes: string, keeps: RegExp = /[^A-Za-z0-9\-._~]/g): string {
  return bytes.replace(keeps, (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`);
}

const NEITHER_UNRESERVED_NOR_SLASH = /[^A-Za-z0-9\-._~/]/g;

/** Decoded and encoded again, as S3 itself does; a plus sign in a path is a space to it. */
function s3Path(path: string): string {
  return encoded(decoded(toBytes(path).replaceAll('+', ' ')), NEITHER_UNRESERVED_NOR_SLASH) || '/';
}

/** RFC 3986 section 5.2.4 without empty segments, then every byte that is not unreserved encoded: what was `%20` is `%2520`. */
function normalisedPath(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  const endsInSlash = segments.length > 0 && /(?:\/|\/\.|\/\.\.)$/.test(path);
  return `/${encoded(toBytes(segments.join('/')), NEITHER_UNRESERVED_NOR_SLASH)}${endsInSlash ? '/' : ''}`;
}

/** Sorted by encoded name, then by encoded value; a name alone has an empty value. */
function canonicalQuery(query: string): string {
  if (query === '') return '';
  const parameters = query.split('&').flatMap((parameter): [string, string][] => {
    if (parameter === '') return [];
    const equals = parameter.indexOf('=');
    const name = equals < 0 ? parameter : parameter.slice(0, equals);
    const value = equals < 0 ? '' : parameter.slice(equals + 1);
    return [[queryPart(name), queryPart(value)]];
  });
  parameters.sort(([leftName, leftValue], [rightName, rightValue]) => {
    return compare(leftName, rightName) || compare(leftValue, rightValue);
  });
  return parameters.map(([name, value]) => `${name}=${value}`).join('&');
}

function queryPart(text: string): string {
  return encoded(decoded(toBytes(text).replaceAll('+', ' ')));
}

/** By code unit, which is by byte: both sides are ASCII. */
function compare(left: string, right: string): number {
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** Names in lower case and sorted; values trimmed, runs of spaces made one, those of one name joined by commas in their order. */
function canonicalHeaders(headers: readonly string[]): readonly (readonly [string, string])[] {
  const byName = new Map<string, string>();
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    const value = (headers[i + 1] as string).trim().replace(/\s+/g, ' ');
    const earlier = byName.get(name);
    byName.set(name, earlier === undefined ? value : `${earlier},${value}`);
  }
  return [...byName].sort(([left], [right]) => compare(left, right));
}
