import { expect, test } from 'vitest';
import { builtinTemplates } from './builtin-templates.ts';
import { findTemplates } from './find-template.ts';
import { testTemplate } from './template.fixture.ts';
import { readReference, referenceTo } from './template-reference.ts';

test('own templates are found by name and version, and no others', async () => {
  const [first, second] = [testTemplate(), testTemplate({ version: 2 })];
  const find = await findTemplates(['acme@1', 'acme@2', 'acme@3', null], [first, second]);
  expect(find('acme@1')).toBe(first);
  expect(find('acme@2')).toBe(second);
  expect(find('acme@3')).toBeUndefined();
  // Not asked for, so not looked up either.
  expect((await findTemplates(['acme@2'], [first, second]))('acme@1')).toBeUndefined();
});

test('built-in templates are found, and an own one of the same name and version comes first', async () => {
  const builtin = await builtinTemplates();
  expect(builtin.length).toBeGreaterThan(0);
  for (const template of builtin) {
    const reference = referenceTo(template);
    expect((await findTemplates([reference], []))(reference)).toBe(template);
    const own = testTemplate({ name: template.name, version: template.version });
    expect((await findTemplates([reference], [own]))(reference)).toBe(own);
  }
});

test.each([
  ['github@1', { name: 'github', version: 1 }],
  ['a.b_c-d@999999', { name: 'a.b_c-d', version: 999_999 }],
  ['github', undefined],
  ['github@', undefined],
  ['github@0', undefined],
  ['github@01', undefined],
  ['github@1000000', undefined],
  ['github@latest', undefined],
  ['@1', undefined],
])('the reference %s is read as %j', (text, reference) => {
  expect(readReference(text)).toEqual(reference);
  if (reference !== undefined) expect(referenceTo(reference)).toBe(text);
});
