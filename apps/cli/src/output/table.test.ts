import { describe, expect, test } from 'vitest';
import { type Column, renderTable } from './table.ts';

interface Row {
  readonly name: string;
  readonly path?: string;
}

const COLUMNS: readonly Column<Row>[] = [
  { title: 'NAME', value: ({ name }) => name },
  { title: 'PATH', value: ({ path }) => path },
];

describe('a table', () => {
  test('puts values under their titles, and a dash where there is none', () => {
    const rows = [{ name: 'a', path: '/x' }, { name: 'longer' }];
    expect(renderTable(COLUMNS, rows)).toBe('NAME    PATH\na       /x\nlonger  -\n');
  });

  test('shows what data would do to the terminal instead of letting it', () => {
    expect(renderTable(COLUMNS, [{ name: 'x\u001b[1A\n', path: '/' }])).toBe('NAME          PATH\nx\\u{1b}[1A\\n  /\n');
  });

  test('cuts the widest column where the terminal is too narrow', () => {
    const [, line] = renderTable(COLUMNS, [{ name: 'short', path: '/a/very/long/path/indeed' }], 24).split('\n');
    expect(line).toBe('short  /a/very/long/pat…');
    expect(line).toHaveLength(24);
  });

  test('cuts no name that must be given back', () => {
    const whole = COLUMNS.map((column) => ({ ...column, isWhole: column.title === 'NAME' }));
    const [, line] = renderTable(whole, [{ name: 'a-name-that-is-long', path: '/short/path' }], 20).split('\n');
    expect(line).toBe('a-name-that-is-long  /short/…');
  });

  test('cuts nothing where the output is no terminal', () => {
    expect(renderTable(COLUMNS, [{ name: 'n', path: 'p'.repeat(500) }])).toContain('p'.repeat(500));
  });

  test('keeps a readable width however narrow the terminal is', () => {
    const [, line] = renderTable(COLUMNS, [{ name: 'abcdefghijkl', path: 'mnopqrstuvwx' }], 3).split('\n');
    expect(line).toBe('abcdefg…  mnopqrs…');
  });
});
