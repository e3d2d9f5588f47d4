import type { Facts } from '../call.ts';
import { UNKEPT, type Unkept } from './unkept.ts';

/** Lower-case names; the values of a repeated field joined by a comma and a space (RFC 9110, section 5.3). */
export function readHeaders({ headers }: Facts['request']): unknown {
  if ((headers as unknown) === UNKEPT) return UNKEPT;
  const read: Record<string, unknown> = Object.create(null);
  for (const [name, value] of Array.isArray(headers) ? headers : Object.entries(headers)) {
    const key = String(name).toLowerCase();
    const values: unknown[] = Array.isArray(value) ? value : [value];
    for (const one of values) {
      if (one === undefined) continue;
      const former = read[key];
      const isJoined = typeof former === 'string' && typeof one === 'string';
      read[key] = isJoined ? `${former}, ${one}` : former === undefined ? one : UNKEPT;
    }
  }
  return read;
}

/** By name the values in their order, decoded as `application/x-www-form-urlencoded` (WHATWG URL, section 5.1). */
export function readQuery({ url, query }: Facts['request']): unknown {
  if (query !== undefined) return query;
  const read: Record<string, string[]> = Object.create(null);
  const start = url.indexOf('?');
  if (start === -1) return read;
  for (const [name, value] of new URLSearchParams(url.slice(start + 1).split('#', 1)[0])) {
    const values = read[name];
    if (values === undefined) read[name] = [value];
    else values.push(value);
  }
  return read;
}

export interface InspectedBody {
  readonly isInspected: boolean | Unkept;
  readonly value: unknown;
}

/** The value of the body. Calls the function that stands for it; a body that cannot be read is one that was not inspected. */
export function inspectBody({ body, bodyInspected }: Facts['request']): InspectedBody {
  if ((bodyInspected as unknown) === UNKEPT) return { isInspected: UNKEPT, value: UNKEPT };
  if (!bodyInspected) return NOT_INSPECTED;
  if (typeof body !== 'function') return { isInspected: true, value: body };
  try {
    return { isInspected: true, value: body() };
  } catch {
    return NOT_INSPECTED;
  }
}

const NOT_INSPECTED: InspectedBody = { isInspected: false, value: undefined };
