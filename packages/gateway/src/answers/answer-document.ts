import type { CollectedResponse } from './collected-answer.ts';

/** The JSON of an object with these members and the answer's body: `body`, `bodyText` or `bodyBase64`, none where it is empty. */
export function textWithBody(members: object, collected: CollectedResponse): string {
  const text = JSON.stringify(members);
  const body = bodyMember(collected);
  return body === undefined ? text : `${text.slice(0, -1)},${body}}`;
}

/** Lower-case names; a repeated field becomes a list. */
export function headersDocument(flat: readonly string[]): Record<string, string | string[]> {
  const headers = new Map<string, string | string[]>();
  for (let i = 0; i + 1 < flat.length; i += 2) {
    const name = (flat[i] as string).toLowerCase();
    const value = flat[i + 1] as string;
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value]);
  }
  return Object.fromEntries(headers);
}

/**
 * `body` for JSON, `bodyText` for other UTF-8 text, `bodyBase64` for the rest and for encoded bodies. JSON stands there as the upstream
 * wrote it: written anew, long numbers would lose digits.
 */
function bodyMember(collected: CollectedResponse): string | undefined {
  if (collected.body.byteLength === 0) return undefined;
  const text = isEncoded(collected.headers) ? undefined : decodeUtf8(collected.body);
  if (text === undefined) return `"bodyBase64":"${Buffer.from(collected.body).toString('base64')}"`;
  const isJson = /\bjson\b/i.test(field(collected.headers, 'content-type') ?? '') && isJsonText(text);
  return isJson ? `"body":${text}` : `"bodyText":${JSON.stringify(text)}`;
}

function isJsonText(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function isEncoded(headers: readonly string[]): boolean {
  const encoding = field(headers, 'content-encoding');
  return encoding !== undefined && encoding.toLowerCase() !== 'identity';
}

function field(flat: readonly string[], name: string): string | undefined {
  for (let i = 0; i + 1 < flat.length; i += 2) {
    if ((flat[i] as string).toLowerCase() === name) return flat[i + 1];
  }
  return undefined;
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
