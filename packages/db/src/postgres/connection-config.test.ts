import { describe, expect, test } from 'vitest';
import { connectionTo } from './connection-config.ts';

const settings = { statement_timeout: 5_000, default_transaction_isolation: 'read committed' };
const OPTIONS = '-c statement_timeout=5000 -c default_transaction_isolation=read\\ committed';

describe('a connection', () => {
  test('has the settings that the repositories rely on', () => {
    expect(connectionTo('postgres://a:b@host:5432/db', settings)).toEqual({
      connectionString: 'postgres://a:b@host:5432/db',
      options: OPTIONS,
      keepAlive: true,
    });
  });

  test('keeps what else the URL says, and nothing that would undo them', () => {
    const url =
      'postgresql://a:b@host/db?sslmode=verify-full&statement_timeout=0&client_encoding=LATIN1&options=-c%20search_path%3Dmine';
    expect(connectionTo(url, settings)).toMatchObject({
      connectionString: 'postgresql://a:b@host/db?sslmode=verify-full',
      options: `-c search_path=mine ${OPTIONS}`,
    });
  });

  test.each([
    [''],
    ['host/db'],
    ['mysql://a:secret@host/db'],
    ['postgres://['],
    ['postgres://a:secret@one,two/db'],
    ['postgres://a:secret@/db?host=one,two'],
  ])('to %s is refused, without repeating it', (url) => {
    expect(() => connectionTo(url, settings)).toThrow(expect.objectContaining({ code: 'invalid' }));
    expect(() => connectionTo(url, settings)).not.toThrow(/secret/);
  });
});
