import { describe, expect, test } from 'vitest';
import { DbError } from '../ports/db-error.ts';
import { toDbError } from './postgres-error.ts';

const serverError = (code: string, fields: object = {}) =>
  Object.assign(new Error('a message with hunter2 in it'), { code, detail: 'Key (name)=(hunter2)', ...fields });

describe('an error of the server', () => {
  test.each([
    ['23505', 'conflict'],
    ['23P01', 'conflict'],
    ['23503', 'not_found'],
    ['23514', 'invalid'],
    ['23502', 'invalid'],
    ['22021', 'invalid'],
    ['22P02', 'invalid'],
    ['22003', 'invalid'],
    ['54000', 'invalid'],
    ['25006', 'unavailable'],
    ['25P02', 'unavailable'],
    ['40P01', 'unavailable'],
    ['42501', 'unavailable'],
    ['42P01', 'unavailable'],
    ['42601', 'unavailable'],
    ['53100', 'unavailable'],
    ['53300', 'unavailable'],
    ['55P03', 'unavailable'],
    ['57014', 'unavailable'],
    ['57P01', 'unavailable'],
    ['XX000', 'unavailable'],
    ['ECONNREFUSED', 'unavailable'],
  ])('of code %s is %s, and tells no value', (code, expected) => {
    const error = toDbError(serverError(code));
    expect(error.code).toBe(expected);
    expect(error.message).toContain(code);
    expect(`${error.message} ${String(error.cause)}`).not.toContain('hunter2');
    expect(error.cause).toBeUndefined();
  });

  test('names table, column and constraint', () => {
    const unique = toDbError(serverError('23505', { table: 'agents', constraint: 'agents_tenant_name_key' }));
    expect(unique.message).toBe('PostgreSQL: a unique constraint agents_tenant_name_key of agents is not met (23505)');
    const missing = toDbError(serverError('23502', { table: 'agents', column: 'name' }));
    expect(missing.message).toContain('agents.name');
  });

  test('of row security is about the row, a right that is missing is not', () => {
    const refused = toDbError(serverError('42501', { routine: 'ExecWithCheckOptions' }));
    expect(refused).toMatchObject({ code: 'invalid', message: expect.stringContaining('row security') });
    expect(toDbError(serverError('42501', { routine: 'aclcheck_error' }))).toMatchObject({ code: 'unavailable' });
  });
});

describe('an error of the driver', () => {
  test.each([
    ['Connection terminated unexpectedly', 'the connection broke'],
    ['timeout exceeded when trying to connect', 'no connection was free in time'],
    ['Connection terminated due to connection timeout', 'the server does not answer'],
    ['Cannot use a pool after calling end on the pool', 'the database is closed'],
    ['something about hunter2', 'the connection failed'],
  ])('"%s" is told as: %s', (message, words) => {
    expect(toDbError(new Error(message))).toMatchObject({ code: 'unavailable', message: `PostgreSQL: ${words}` });
  });

  test('that is no error at all makes the engine unavailable, and one of ours stays', () => {
    expect(toDbError('hunter2')).toMatchObject({ code: 'unavailable', message: 'PostgreSQL: the connection failed' });
    expect(toDbError(undefined)).toMatchObject({ code: 'unavailable' });
    const ours = new DbError('stale', 'it has changed');
    expect(toDbError(ours)).toBe(ours);
  });
});
