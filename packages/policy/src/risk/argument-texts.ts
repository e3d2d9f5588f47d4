import type { Facts } from '../call.ts';
import { readQuery } from '../condition/request-facts.ts';
import { UNKEPT } from '../condition/unkept.ts';

export interface ArgumentTexts {
  readonly texts: readonly string[];
  /** Some argument was not kept: there may be more texts. */
  readonly isPartial: boolean;
}

interface Found {
  readonly texts: string[];
  isPartial: boolean;
}

/** All texts that a caller chose: names and values of the query, of the body (when inspected) and of a tool's arguments. */
export function argumentTexts(facts: Facts, body: unknown): ArgumentTexts {
  const { tool } = facts;
  const found: Found = { texts: [], isPartial: false };
  if (facts.request.query !== undefined || facts.request.url.includes('?')) collect(readQuery(facts.request), found);
  collect(body, found);
  if (typeof tool === 'object' && tool !== null && 'arguments' in tool) collect(tool.arguments, found);
  else if ((tool as unknown) === UNKEPT) found.isPartial = true;
  return found;
}

/** Without recursion: how deep a value is nested is the caller's choice. */
function collect(root: unknown, found: Found): void {
  const open: object[] = [];
  note(root, found, open);
  for (let value = open.pop(); value !== undefined; value = open.pop()) {
    if (Array.isArray(value)) {
      for (const item of value) note(item, found, open);
    } else {
      for (const [name, member] of Object.entries(value)) {
        note(name, found, open);
        note(member, found, open);
      }
    }
  }
}

function note(value: unknown, found: Found, open: object[]): void {
  if (typeof value === 'string') {
    if (value.length > 1) found.texts.push(value);
  } else if (typeof value === 'object') {
    if (value !== null) open.push(value);
  } else if (value === UNKEPT) {
    found.isPartial = true;
  }
}
