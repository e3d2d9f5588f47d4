import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeNumberCursor, decodeTextCursor, encodeCursor } from './page.ts';
import { DbError } from './ports/db-error.ts';

test('a cursor leads back to its place, in its own list alone', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.nat(), (name, place) => {
      expect(decodeTextCursor('agents', encodeCursor('agents', name))).toBe(name);
      expect(decodeNumberCursor('audit', encodeCursor('audit', place))).toBe(place);
      expect(() => decodeTextCursor('tenants', encodeCursor('agents', name))).toThrow(DbError);
      expect(() => decodeTextCursor('agents', encodeCursor('agents', place))).toThrow(DbError);
      expect(() => decodeNumberCursor('audit', encodeCursor('audit', name))).toThrow(DbError);
    }),
  );
});

test('no text but a cursor is taken for one', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(() => decodeTextCursor('agents', text)).toThrow(DbError);
    }),
  );
});

test('without a cursor the list begins at its beginning', () => {
  expect(decodeTextCursor('agents', undefined)).toBeUndefined();
  expect(decodeNumberCursor('audit', undefined)).toBeUndefined();
});
