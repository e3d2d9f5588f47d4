import { expect, test } from 'vitest';
import type { FieldSchema } from './config-fields.ts';
import { type ConfigCode, checkConfigDocs, withConfigDocs } from './write-config-docs.ts';

const name = { type: 'string', pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' };
const secret = { ...name, description: 'The name of the secret' };

const SCHEMA: FieldSchema = {
  type: 'object',
  required: ['upstreams'],
  properties: {
    upstreams: {
      type: 'array',
      description: 'Upstreams',
      items: {
        type: 'object',
        required: ['name'],
        properties: {
          name,
          limits: {
            type: 'object',
            properties: {
              bytes: { type: 'integer', minimum: 0, maximum: 65_536, default: 1024, description: 'Body | bytes' },
            },
          },
          headers: { type: 'array', items: { type: 'string' }, default: ['*'], description: 'Patterns: *, `a*`' },
          credential: {
            description: 'How',
            oneOf: [
              { type: 'object', required: ['type'], properties: { type: { type: 'string', const: 'none' } } },
              {
                type: 'object',
                required: ['type', 'secret'],
                properties: { type: { type: 'string', const: 'bearer' }, secret },
              },
              {
                type: 'object',
                required: ['type', 'secret'],
                properties: { type: { type: 'string', const: 'basic' }, secret },
              },
            ],
          },
        },
      },
    },
    secrets: {
      type: 'object',
      description: 'Secrets',
      additionalProperties: {
        anyOf: [
          { type: 'object', required: ['from'], properties: { from: { type: 'string', pattern: '^(?:env:.+)$' } } },
          { type: 'object', required: ['value'], properties: { value: { type: 'string', description: 'In clear' } } },
        ],
      },
    },
  },
};

const CODE: ConfigCode = {
  environmentVariables: [
    { name: 'POSTERN_LISTEN', default: '127.0.0.1:8080', description: 'Where agents\ncall' },
    { name: 'POSTERN_PUBLIC_URL', default: '', description: 'Base of links' },
  ],
  schema: SCHEMA,
  meanings: {
    'upstreams[].name': 'Its name',
    'upstreams[].credential.type': 'The kind',
    'secrets.NAME.from': 'Where it is read',
  },
  unsupportedFields: ['upstreams.*.retry'],
};

const WRITTEN = withConfigDocs('# Configuration\n\nBefore.\n', CODE);

test.each([
  ['a variable with its default', '| `POSTERN_LISTEN` | `127.0.0.1:8080` | Where agents call |'],
  ['a variable without one', '| `POSTERN_PUBLIC_URL` |  | Base of links |'],
  ['a list that is required', '| `upstreams` | list of objects | required | Upstreams |'],
  ['a field whose meaning stands in the table', '| `upstreams[].name` | name | required | Its name |'],
  ['a number with its range', '| `upstreams[].limits.bytes` | 0 to 65,536 | `1024` | Body \\| bytes |'],
  ['a default with an asterisk', "| `upstreams[].headers` | list of text | `['*']` | Patterns: \\*, `a*` |"],
  ['the kinds of a union', '| `upstreams[].credential.type` | `none`, `bearer`, `basic` | required | The kind |'],
  [
    'a field that several kinds share',
    '| `upstreams[].credential.secret` | name | required | `bearer`, `basic`: The name of the secret |',
  ],
  ['one of two forms, which nobody must choose', '| `secrets.NAME.value` | text |  | In clear |'],
  ['a field that is refused', '- `upstreams.*.retry`'],
])('the document has %s', (_what, line) => {
  expect(WRITTEN.split('\n')).toContain(line);
});

test('what was written agrees with the code, also with cells padded as the formatter does, and keeps the words around', () => {
  expect(checkConfigDocs(WRITTEN, CODE)).toEqual([]);
  const padded = WRITTEN.replaceAll(' |\n', '     |\n').replaceAll('| --- |', '| ------ |');
  expect(padded).not.toBe(WRITTEN);
  expect(checkConfigDocs(padded, CODE)).toEqual([]);
  expect(withConfigDocs(`${WRITTEN}\nAfter.\n`, CODE)).toBe(`${WRITTEN}\nAfter.\n`);
  expect(WRITTEN.startsWith('# Configuration\n\nBefore.\n')).toBe(true);
});

test.each([
  ['another default', '`1024`', '`1025`', 'its part "document" differs'],
  ['a variable that is missing', '| `POSTERN_PUBLIC_URL` |  | Base of links |\n', '', 'its part "environment" differs'],
  ['a field that is no longer refused', '- `upstreams.*.retry`', '- none', 'its part "refused" differs'],
  ['no end of a part', '<!-- document:end -->', '', 'has no part between <!-- document:begin'],
])('a document with %s is refused', (_what, from, to, message) => {
  expect(checkConfigDocs(WRITTEN.replace(from, to), CODE)).toEqual([expect.stringContaining(message)]);
});

test.each<[fault: string, meanings: Record<string, string>, message: string]>([
  ['a field that nobody explains', { 'upstreams[].name': '' }, 'secrets.NAME.from has no meaning'],
  ['a meaning of no field', { ...CODE.meanings, nothing: 'x' }, 'the meaning of nothing is superfluous: no such field'],
  [
    'a meaning that the schema tells already',
    { ...CODE.meanings, upstreams: 'x' },
    'the meaning of upstreams is superfluous: its schema has one',
  ],
])('%s is refused', (_what, meanings, message) => {
  const code = { ...CODE, meanings };
  expect(checkConfigDocs(withConfigDocs('', code), code)).toContainEqual(message);
});
