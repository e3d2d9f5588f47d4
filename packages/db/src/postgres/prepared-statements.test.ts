import { describe, expect, test } from 'vitest';
import { prepareStatements } from './prepared-statements.ts';

describe('the statements of a connection', () => {
  test('are parsed once, and again where their parameters are of other types', () => {
    const prepared = prepareStatements();
    const first = prepared.take('select $1', [20]);
    expect(first).toEqual({ name: 'p1', isNew: true, over: [] });
    prepared.succeeded();
    expect(prepared.take('select $1', [20])).toEqual({ name: 'p1', isNew: false, over: [] });
    expect(prepared.take('select $1', [0])).toMatchObject({ name: 'p2', isNew: true });
  });

  test('make room for one another: the one that was not used for longest goes first', () => {
    const prepared = prepareStatements(2);
    prepared.take('one', []);
    prepared.take('two', []);
    prepared.take('one', []);
    expect(prepared.take('three', [])).toEqual({ name: 'p3', isNew: true, over: ['p2'] });
    expect(prepared.take('one', [])).toMatchObject({ isNew: false });
    expect(prepared.take('two', [])).toEqual({ name: 'p4', isNew: true, over: ['p3'] });
  });

  test('of which nobody knows whether they are there get another name, and the old one is closed', () => {
    const prepared = prepareStatements(2);
    prepared.take('one', []);
    prepared.succeeded();
    prepared.take('two', []);
    prepared.take('three', []);
    // What made room may not have been closed either.
    prepared.failed();
    const again = prepared.take('two', []);
    expect(again).toMatchObject({ name: 'p4', isNew: true });
    expect([...again.over].sort()).toEqual(['p1', 'p2', 'p3']);
    prepared.succeeded();
    expect(prepared.take('two', [])).toEqual({ name: 'p4', isNew: false, over: [] });
  });
});
