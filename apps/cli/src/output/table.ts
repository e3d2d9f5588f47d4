import { visibleText } from './visible-text.ts';

export interface Column<T> {
  readonly title: string;
  readonly value: (row: T) => string | number | boolean | undefined;
  /** Never cut: a name that the reader must be able to give back. */
  readonly isWhole?: boolean;
}

const GAP = '  ';
/** A column is not made narrower than this, however narrow the terminal. */
const WIDTH_MIN = 8;

/**
 * Rows under titles, one line each, without escape sequences. Where `columns` is given, the widest columns give way until the
 * lines fit, and what is cut ends in an ellipsis.
 */
export function renderTable<T>(layout: readonly Column<T>[], rows: readonly T[], columns?: number): string {
  const lines = [layout.map(({ title }) => title), ...rows.map((row) => layout.map(({ value }) => cell(value(row))))];
  const widths = layout.map((_column, index) => Math.max(...lines.map((line) => lengthOf(line[index] ?? ''))));
  if (columns !== undefined) fitInto(widths, columns, (index) => layout[index]?.isWhole === true);
  return lines.map((line) => `${formatLine(line, widths)}\n`).join('');
}

function cell(value: string | number | boolean | undefined): string {
  if (value === undefined || value === '') return '-';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return visibleText(String(value));
}

function fitInto(widths: number[], columns: number, isWhole: (index: number) => boolean): void {
  const room = columns - GAP.length * (widths.length - 1);
  for (;;) {
    const total = widths.reduce((sum, width) => sum + width, 0);
    const widest = Math.max(WIDTH_MIN, ...widths.filter((_width, index) => !isWhole(index)));
    if (total <= room || widest === WIDTH_MIN) return;
    const index = widths.findIndex((width, place) => width === widest && !isWhole(place));
    widths[index] = widest - 1;
  }
}

function formatLine(line: readonly string[], widths: readonly number[]): string {
  return line
    .map((text, index) => {
      const width = widths[index] ?? 0;
      const shown = lengthOf(text) > width ? `${[...text].slice(0, width - 1).join('')}…` : text;
      return shown + ' '.repeat(width - lengthOf(shown));
    })
    .join(GAP)
    .trimEnd();
}

function lengthOf(text: string): number {
  return [...text].length;
}
