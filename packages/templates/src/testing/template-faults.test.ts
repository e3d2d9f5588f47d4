import { describe, expect, it } from 'vitest';
import { type RequestLine, type TemplateCase, templateFaults } from './template-faults.ts';

const READ = { name: 'things.read', methods: ['GET'], paths: ['/v1/things/**'], risk: 'low' };
const CREATE = { name: 'things.create', methods: ['POST'], paths: ['/v1/things'], risk: 'medium' };
const DELETE = {
  name: 'things.delete',
  methods: ['DELETE'],
  paths: ['/v1/things/{thing}', '/v1/things/{thing}/'],
  risk: 'high',
  approval: 'required',
};
const LINES: RequestLine[] = [
  ['GET', '/v1/things?limit=3', 'things.read'],
  ['POST', '/v1/things', 'things.create'],
  ['DELETE', '/v1/things/1', 'things.delete'],
  ['GET', '/v1/others', null],
];

const caseOf = (actions: object[] = [READ, CREATE, DELETE], lines = LINES, more: object = {}): TemplateCase => ({
  template: {
    name: 'things',
    version: 1,
    provider: 'things',
    title: 'Things',
    sources: ['https://docs.things.example/api'],
    baseUrl: 'https://api.things.example',
    credential: { type: 'bearer' },
    actions,
    ...more,
  },
  domains: ['things.example'],
  lines,
});

describe('templateFaults', () => {
  it('finds nothing wrong with a good template', () => {
    expect(templateFaults(caseOf())).toEqual([]);
  });

  it('tells which line is another action, or none', () => {
    const lines: RequestLine[] = [
      ...LINES,
      ['GET', '/v1/things/7', 'things.create'],
      ['PATCH', '/v1/things/7', 'things.update'],
    ];
    expect(templateFaults(caseOf(undefined, [...lines, ['GET', '/v1/things/8', null]]))).toEqual([
      'GET /v1/things/7: is things.read, not things.create',
      'PATCH /v1/things/7: is no action, not things.update',
      'GET /v1/things/8: is things.read, not no action',
    ]);
  });

  it('tells which action no line is', () => {
    expect(templateFaults(caseOf(undefined, LINES.slice(1)))).toEqual(['actions: no line is things.read']);
  });

  it('tells that a slash at the end leads around an approval', () => {
    const bare = { ...DELETE, paths: ['/v1/things/{thing}'] };
    const expected = 'DELETE /v1/things/1/: is no action, /v1/things/1 is things.delete, which wants an approval';
    expect(templateFaults(caseOf([READ, CREATE, bare]))).toEqual([expected]);
  });

  it.each([
    ['a slash at the end', '/v1/things/1', { paths: ['/v1/things/{thing}/'] }, '/v1/things/1/'],
    ['a slash less', '/v1/things/1/', { paths: ['/v1/things/{thing}'] }, '/v1/things/1'],
    ['one segment more', '/v1/things/1', { paths: ['/v1/things/{thing}/{part}'] }, '/v1/things/1/extra'],
    ['another case', '/v1/things/1', { paths: ['/v1/Things/**'] }, '/v1/Things/1'],
    ['capitals', '/v1/things/1', { paths: ['/V1/THINGS/**'] }, '/V1/THINGS/1'],
  ])('tells that %s leads to a laxer action', (_case, path, lax, spelling) => {
    const own = {
      ...DELETE,
      paths: path.endsWith('/') ? ['/v1/things/{thing}/'] : ['/v1/things/{thing}'],
      approval: 'none',
    };
    const other = { ...DELETE, name: 'lax', risk: 'medium', approval: 'none', ...lax };
    const lines: RequestLine[] = [...LINES.slice(0, 2), ['DELETE', path, 'things.delete']];
    expect(templateFaults(caseOf([READ, CREATE, own, other], lines))).toEqual([
      `DELETE ${spelling}: is lax, less careful than things.delete, which ${path} is`,
      'actions: no line is lax',
    ]);
  });

  it('lets another spelling lead to an action that is as careful', () => {
    const same = { ...DELETE, name: 'other.delete', paths: ['/v1/**'] };
    const lines: RequestLine[] = [...LINES, ['DELETE', '/v1/others/1', 'other.delete']];
    expect(templateFaults(caseOf([READ, CREATE, DELETE, same], lines))).toEqual([]);
  });

  it('judges the canonical path of a line', () => {
    const lines: RequestLine[] = [...LINES, ['GET', '/v1/others/%2e%2e/%74hings', 'things.read']];
    expect(templateFaults(caseOf(undefined, lines))).toEqual([]);
  });

  it.each([
    ['https://things.example/docs', true],
    ['https://docs.things.example/', true],
    ['https://otherthings.example/', false],
    ['https://things.example.evil.example/', false],
  ])('takes the source %s: %s', (source, isTaken) => {
    const faults = templateFaults(caseOf(undefined, LINES, { sources: [source] }));
    expect(faults).toEqual(isTaken ? [] : [`sources: ${source} is not an https address of things.example`]);
  });

  it('tells what is wrong with the shape, and what keeps it from being published', () => {
    const [shape = ''] = templateFaults(caseOf(undefined, LINES, { version: 0 }));
    expect(shape).toMatch(/^version: /);
    const untold = { ...READ, risk: undefined };
    expect(templateFaults(caseOf([untold, CREATE, DELETE]))).toEqual([
      'actions[0].risk: of action things.read: is required',
    ]);
    const http = templateFaults(caseOf(undefined, LINES, { sources: ['http://things.example/'] }));
    expect(http).toHaveLength(1);
  });
});
