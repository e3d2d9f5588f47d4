import type { ErrorKind } from '@postern/schemas';
import { lineOf } from './scan-source.ts';

const BEGIN = '<!-- errors:begin (generated: node scripts/check-docs.ts --write) -->';
const END = '<!-- errors:end -->';
const HEAD = '| code | status | retryable | title |\n| --- | --- | --- | --- |';
// The formatter pads the cells.
const ROW = /^\| *`([a-z_]+)` *\| *(\d{3}) *\| *(yes|no) *\| *(.*?) *\|$/gm;

export type ErrorKinds = Readonly<Record<string, ErrorKind>>;

/** `text` with the table between its markers made anew; the markers are added at the end when there are none. */
export function withErrorTable(text: string, kinds: ErrorKinds): string {
  const rows = Object.entries(kinds).map(([code, { status, retryable, title }]) => {
    return `| \`${code}\` | ${status} | ${retryable ? 'yes' : 'no'} | ${title} |`;
  });
  const block = [BEGIN, '', HEAD, ...rows, '', END].join('\n');
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) return `${text.trimEnd()}\n\n${block}\n`;
  return text.slice(0, begin) + block + text.slice(end + END.length);
}

/** The faults of the table in `text`, held against the codes both ways. */
export function checkErrorTable(text: string, kinds: ErrorKinds): { line?: number; message: string }[] {
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) return [{ message: 'has no table of errors between its markers' }];
  const rows = [...text.slice(begin, end).matchAll(ROW)].map(([, code = '', status, retryable, title], index, all) => ({
    code,
    line: lineOf(text, begin + (all[index]?.index ?? 0)),
    says: `${status} ${retryable} ${title}`,
  }));
  const listed = new Set<string>();
  const faults: { line?: number; message: string }[] = [];
  for (const { code, line, says } of rows) {
    const kind = Object.hasOwn(kinds, code) ? kinds[code] : undefined;
    const right = kind && `${kind.status} ${kind.retryable ? 'yes' : 'no'} ${kind.title}`;
    if (right === undefined) faults.push({ line, message: `${code} is no code of ERROR_KINDS` });
    else if (right !== says) faults.push({ line, message: `${code} is "${right}" in the code, "${says}" here` });
    if (listed.has(code)) faults.push({ line, message: `${code} is listed twice` });
    listed.add(code);
  }
  const absent = Object.keys(kinds).filter((code) => !listed.has(code));
  return [...faults, ...absent.map((code) => ({ message: `${code} is not listed` }))];
}
