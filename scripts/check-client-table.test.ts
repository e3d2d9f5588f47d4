import { describe, expect, test } from 'vitest';
import { type ClientRow, checkClientTable, withClientTable } from './check-client-table.ts';

const curl: ClientRow = { client: '`curl`', baseUrl: 'U', agentKey: 'K', cells: { JSON: 'yes', '404': 'yes' } };
const got: ClientRow = { client: '`got` 16.1.0', baseUrl: 'U', agentKey: 'K', cells: { JSON: 'yes' } };
const guide = withClientTable('# Clients\n', [curl, got]);

describe('the table of clients', () => {
  test('agrees with the rows it was written from, however the formatter pads it', () => {
    expect(checkClientTable(guide, [curl, got])).toEqual([]);
    expect(checkClientTable(guide.replaceAll('| yes |', '| yes     |'), [curl, got])).toEqual([]);
  });

  test('is written in its place, and nothing else changes', () => {
    const text = `${guide}\nAfter.\n`;
    expect(withClientTable(text, [curl, got])).toBe(text);
    expect(withClientTable(text, [curl])).not.toContain('got');
  });

  test.each<[string, string, readonly ClientRow[], string]>([
    ['a row that no test produced', guide, [curl], '`got` 16.1.0 is listed, and no test proved it'],
    ['a client that is not listed', withClientTable('', [curl]), [curl, got], '`got` 16.1.0 is proved and not listed'],
    [
      'a cell that no test produced',
      guide,
      [curl, { ...got, cells: {} }],
      '`got` 16.1.0, JSON: the tests say "–", the guide "yes"',
    ],
    [
      'a cell with other words',
      guide,
      [{ ...curl, agentKey: 'Q' }, got],
      '`curl`, Agent key: the tests say "Q", the guide "K"',
    ],
    ['no rows at all', guide, [], 'cannot be checked: no test of a client has run'],
    ['no table', '# Clients\n', [curl], 'has no table of clients between its markers'],
    [
      'a column the tests do not have',
      guide.replace('| Besides |', '| Fast |'),
      [curl, got],
      'the heads of its columns are others than the tests have',
    ],
  ])('finds %s', (_what, text, rows, finding) => {
    expect(checkClientTable(text, rows)).toEqual([finding]);
  });
});
