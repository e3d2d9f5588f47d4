/**
 * Lists in PostgreSQL's own text form (documentation, 8.15.2), which take a tenth of the time that the driver needs for the same: it is
 * made for lists of anything.
 */
export function longList(values: readonly (number | null)[]): string {
  let list = '{';
  for (const [index, value] of values.entries()) {
    if (index > 0) list += ',';
    list += value === null ? 'NULL' : value;
  }
  return `${list}}`;
}

export function textList(values: readonly (string | null)[]): string {
  let list = '{';
  for (const [index, value] of values.entries()) {
    if (index > 0) list += ',';
    list += value === null ? 'NULL' : `"${ESCAPED.test(value) ? value.replaceAll(EVERY_ESCAPED, '\\$&') : value}"`;
  }
  return `${list}}`;
}

const ESCAPED = /["\\]/;
const EVERY_ESCAPED = /["\\]/g;

/** No text of PostgreSQL holds a NUL. */
export function isStorable(text: string): boolean {
  return !text.includes('\0');
}
