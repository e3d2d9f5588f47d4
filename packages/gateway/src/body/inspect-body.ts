import { parseJsonStrict } from '@postern/canonicalizer';
import { readFormBody } from '@postern/policy';
import { MEMORY_BODY_BYTES_MAX, type RequestBody } from './request-body.ts';

/** The members of a call's facts that tell its body. */
export interface BodyFacts {
  /** Reads the bytes when it is called; throws when they are not what the fields say. */
  readonly body?: () => unknown;
  readonly bodyInspected: boolean;
}

const NOT_INSPECTED: BodyFacts = { bodyInspected: false };
const NO_BODY_FACTS: BodyFacts = { bodyInspected: true };

/**
 * What conditions may see of a body. It is looked into only where every reader must read the same: strict JSON or a form, in UTF-8,
 * at most 1 MiB, under one `Content-Type` and no `Content-Encoding`. `sentHeaders`: flat pairs, as they go to the upstream.
 */
export function inspectBody(body: RequestBody, sentHeaders: readonly string[]): BodyFacts {
  if (body.kind === 'none') return NO_BODY_FACTS;
  if (body.kind !== 'bytes' || body.bytes.byteLength > MEMORY_BODY_BYTES_MAX) return NOT_INSPECTED;
  const read = readerFor(sentHeaders);
  const { bytes } = body;
  return read === undefined ? NOT_INSPECTED : { body: () => read(bytes), bodyInspected: true };
}

type Read = (bytes: Uint8Array) => unknown;

function readerFor(headers: readonly string[]): Read | undefined {
  let contentType: string | undefined;
  for (let index = 0; index + 1 < headers.length; index += 2) {
    const name = (headers[index] as string).toLowerCase();
    if (name === 'content-encoding') return undefined;
    if (name !== 'content-type') continue;
    // Which of two a reader goes by is its own affair.
    if (contentType !== undefined) return undefined;
    contentType = headers[index + 1] as string;
  }
  return contentType === undefined ? undefined : readerOfType(contentType);
}

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
/** RFC 9110 section 8.3.1, with no empty parameter. */
const PARAMETER = new RegExp(`[\\t ]*;[\\t ]*(${TOKEN})=(${TOKEN}|"[\\t !#-\\[\\]-~]*")`, 'y');
const MEDIA_TYPE = new RegExp(`^${TOKEN}/${TOKEN}`);
const JSON_TYPE = /^(?:application\/json|[^/]+\/[^/]+\+json)$/;
const FORM_TYPE = 'application/x-www-form-urlencoded';

/** Not trimmed: what HTTP calls white space is off already, and the rest belongs to the value. */
function readerOfType(contentType: string): Read | undefined {
  const type = MEDIA_TYPE.exec(contentType)?.[0];
  if (type === undefined || !isUtf8(contentType, type.length)) return undefined;
  const name = type.toLowerCase();
  if (name === FORM_TYPE) return readFormBody;
  return JSON_TYPE.test(name) ? readJson : undefined;
}

/** Whether the parameters are well-formed and name no charset but UTF-8. */
function isUtf8(text: string, from: number): boolean {
  let hasCharset = false;
  let end = from;
  while (end < text.length) {
    PARAMETER.lastIndex = end;
    const found = PARAMETER.exec(text);
    if (found === null) return false;
    end = PARAMETER.lastIndex;
    if (found[1]?.toLowerCase() !== 'charset') continue;
    if (hasCharset || !/^"?utf-8"?$/i.test(found[2] as string)) return false;
    hasCharset = true;
  }
  return true;
}

/** A byte order mark stays, and is no JSON. */
const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function readJson(bytes: Uint8Array): unknown {
  return parseJsonStrict(DECODER.decode(bytes));
}
