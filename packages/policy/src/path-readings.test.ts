import { describe, expect, it } from 'vitest';
import { compilePathPattern, foldedPath } from './path-pattern.ts';
import { anyReadingFits, readPath, readPattern } from './path-readings.ts';

const read = (path: string) => readPath(foldedPath(path));
const covers = (pattern: string, path: string) => anyReadingFits(readPattern(compilePathPattern(pattern)), read(path));

describe('the readings of a path', () => {
  it.each([
    ['/', '/'],
    ['/a/b', '/a/b'],
    ['/a.b/c', '/a.b/c'],
    ['//', '/'],
    ['/a//b///', '/a/b'],
    ['/Admin/X', '/admin/x'],
    ['/caf%C3%A9', '/café'],
    ['/cafe%CC%81', '/café'],
    ['/CAF%C3%89', '/café'],
    ['/%EF%BD%81dmin', '/admin'],
    ['/stra%C3%9Fe', '/strasse'],
    ['/%E2%84%AA', '/k'],
    ['/%FF/x', '/%ff/x'],
    ['/a*b', '/a%2ab'],
  ])('of %s are all %s', (path, reading) => {
    expect(read(path)).toMatchObject({ alike: reading, decoded: reading, split: reading, isUnreadable: false });
  });

  it.each([
    ['/a;v=1/b', '/a;v=1/b', '/a/b'],
    ['/a%3Bv=1/b', '/a;v=1/b', '/a/b'],
    ['/a/;x/b', '/a/;x/b', '/a/b'],
    ['/%2561dmin', '/%2561dmin', '/admin'],
    ['/%25252561dmin', '/%25252561dmin', '/admin'],
    ['/%252561%252564', '/%252561%252564', '/ad'],
    ['/a%252Fb', '/a%252fb', '/a/b'],
    ['/a%255cb', '/a%255cb', '/a/b'],
    ['/a%253Fb/c', '/a%253fb/c', '/a'],
    ['/a%2523b', '/a%2523b', '/a'],
    ['/a%EF%BC%8Fb', '/a%2fb', '/a/b'],
    ['/a%EF%BC%BCb', '/a%5cb', '/a/b'],
    ['/%E2%84%80', '/a%2fc', '/a/c'],
    ['/admin.', '/admin.', '/admin'],
    ['/admin%20/x', '/admin%20/x', '/admin/x'],
    ['/admin%20.%20/x', '/admin%20.%20/x', '/admin/x'],
    ['/100%25/x', '/100%25/x', '/100%/x'],
    ['/...', '/...', '/...'],
  ])('of %s are %s and, decoded, %s', (path, alike, decoded) => {
    expect(read(path)).toMatchObject({ alike, decoded, split: decoded, isUnreadable: false });
  });

  it.each([
    ['/a%2Fb', '/a/b'],
    ['/a%2fb%5Cc', '/a/b/c'],
    ['/a%2F/b', '/a/b'],
    ['/a%3Fb/c', '/a'],
    ['/a%23b', '/a'],
  ])('of %s is %s when its escapes are taken for delimiters, and not before', (path, split) => {
    const readings = read(path);
    expect(readings).toMatchObject({ split, isDisguised: false, text: foldedPath(path) });
    expect(readings.decoded).not.toBe(split);
  });

  it.each([
    '/x/%252e%252e/a',
    '/%252E/a',
    '/x/.%252e/a',
    '/x%252f..%252fa',
    '/x/%25252e%25252e',
    '/x/%EF%BC%8E%EF%BC%8E/a',
    '/x/%E2%80%A5/a',
    '/x/%252e%252e;y/a',
    '/x/%252e%252e%20/a',
    '/a%2500.png',
    '/a%250d%250aX',
    '/x/%25c0%25ae%25c0%25ae/a',
  ])('%s cannot be read', (path) => {
    expect(read(path).isUnreadable).toBe(true);
  });

  it.each([
    ['/a//B/', '/a/B'],
    ['/A;v=1/b', '/A/b'],
    ['/%2541//b%20c', '/A/b%20c'],
    ['/a%252Fb%2Fc', '/a/b%2Fc'],
    ['/A/b/', '/A/b/'],
    ['/a%20b', '/a%20b'],
    ['/caf%C3%A9', '/caf%C3%A9'],
  ])('the text of %s for conditions is %s', (path, text) => {
    expect(read(path).text).toBe(text);
  });

  it('come to an end for whatever is sent', () => {
    const hostile = [
      `/%${'25'.repeat(4000)}41`,
      `/${'%25'.repeat(2700)}41`,
      `/${'%2525'.repeat(1600)}`,
      `/${'%20'.repeat(2700)}x`,
      `/${'. '.replace(' ', '%20').repeat(2000)}x`,
      `/${';'.repeat(8000)}`,
      `${'/'.repeat(8000)}`,
      `/${'%CC%81'.repeat(1360)}`,
    ];
    const startedAt = performance.now();
    for (const path of hostile) read(path);
    expect(performance.now() - startedAt).toBeLessThan(1000);
    expect(read(hostile[0] as string).decoded).toBe('/a');
  });
});

describe('a pattern of a rule that closes', () => {
  it.each([
    ['/admin/**', '/admin'],
    ['/admin/**', '/admin/x'],
    ['/admin/**', '/Admin/x'],
    ['/Admin/**', '/admin/x'],
    ['/admin/**', '//admin//x'],
    ['/admin/**', '/admin%2Fx'],
    ['/admin/**', '/admin%5Cx'],
    ['/admin/**', '/%2561dmin/x'],
    ['/admin/**', '/admin;v=1/x'],
    ['/admin;v=1/**', '/admin/x'],
    ['/admin', '/admin/'],
    ['/admin/', '/admin'],
    ['/', '//'],
    ['/a//b', '/a/b'],
    ['/projects/*/secrets', '/projects/a%2Fb/secrets'],
    ['/projects/*/secrets', '//projects/a%2Fb/Secrets'],
    ['/projects/*/secrets', '/projects/a%2Fb/secrets;v=1'],
    ['/projects/a%2Fb', '/projects/a/b'],
    ['/projects/a%2Fb', '/projects/A%2fB/'],
    ['/%2A', '/*'],
    ['/caf%C3%A9/*', '/cafe%CC%81/x'],
  ])('%s covers %s', (pattern, path) => {
    expect(covers(pattern, path)).toBe(true);
  });

  it.each([
    ['/admin/**', '/administrator'],
    ['/admin/**', '/x/admin'],
    ['/admin/**', '/x%2Fadmin'],
    ['/admin/*', '/admin'],
    ['/admin/*', '/admin/'],
    ['/admin/*', '/admin//'],
    ['/a/*', '/a/b/c'],
    ['/%2A', '/a'],
    ['/', '/a'],
    ['/caf%C3%A9', '/cafe'],
  ])('%s does not cover %s', (pattern, path) => {
    expect(covers(pattern, path)).toBe(false);
  });
});
