import { expect, test } from 'vitest';
import type { CliContext } from './context.ts';
import { showPages } from './paged-list.ts';

/** A machine on which each page takes a second. */
function machine() {
  const [written, notes]: [string[], string[]] = [[], []];
  let seconds = 0;
  const context: CliContext = {
    environment: {},
    workingFolder: '/',
    input: undefined,
    askHidden: undefined,
    columns: undefined,
    write: (text) => written.push(text),
    note: (text) => notes.push(text),
    now: () => 1_000 * seconds,
  };
  return { context, written, notes, takeASecond: () => (seconds += 1) };
}

test('a search goes on over pages on which nothing is found, and tells every two seconds that it does', async () => {
  const { context, written, notes, takeASecond } = machine();
  const pages = [[], ['a'], [], [], ['b']];
  const asked: (string | undefined)[] = [];
  const list = async ({ cursor }: { readonly cursor?: string }) => {
    asked.push(cursor);
    takeASecond();
    const items = pages[asked.length - 1] ?? [];
    return asked.length < pages.length ? { items, nextCursor: String(asked.length) } : { items };
  };
  const options = { columns: [{ title: 'NAME', value: (item: string) => item }], none: 'None.' };
  await showPages({ context, json: true }, { limit: 10 }, { list, ...options });
  expect(asked).toEqual([undefined, '1', '2', '3', '4']);
  expect(JSON.parse(written.join(''))).toEqual({ items: ['a', 'b'] });
  expect(notes).toEqual(['1 found so far; still looking.\n', '1 found so far; still looking.\n']);
});
