import { integrationSchema } from '@postern/schemas';
import { expect, test } from 'vitest';
import type { IntegrationRow } from '../tables.ts';
import { createIntegrationReader } from './read-integrations.ts';

const SPEC = integrationSchema.parse({
  name: 'github',
  baseUrl: 'https://api.github.com',
  credential: { type: 'none' },
  actions: [],
});

function rowsOf(count: number): IntegrationRow[] {
  return Array.from({ length: count }, (_, index) => ({
    tenant: 'acme',
    id: `id-${index}`,
    name: `github-${index}`,
    spec: JSON.stringify({ ...SPEC, name: `github-${index}` }),
    origin: 'api',
    version: 1,
    created_at: 1,
    updated_at: 1,
  }));
}

test('of many integrations only those are read again whose row has changed', async () => {
  const read = createIntegrationReader();
  const rows = rowsOf(200);
  const before = await read('acme', rows);
  const changed = { ...(rows[7] as IntegrationRow), spec: JSON.stringify({ ...SPEC, baseUrl: 'https://example.com' }) };
  const after = await read('acme', [...rows.slice(0, 7), changed, ...rows.slice(9).toReversed()]);
  expect(after.map(({ id }) => id)).toEqual([
    ...before.slice(0, 8).map(({ id }) => id),
    ...before
      .slice(9)
      .map(({ id }) => id)
      .toReversed(),
  ]);
  expect(after[7]?.spec.baseUrl).toBe('https://example.com');
  expect(after.filter((record) => before.includes(record))).toHaveLength(198);
});

test('a version or an origin that has changed is told, though the definition is the same', async () => {
  const read = createIntegrationReader();
  const rows = rowsOf(200);
  await read('acme', rows);
  const [first, second] = await read('acme', [
    { ...(rows[0] as IntegrationRow), version: 2 },
    { ...(rows[1] as IntegrationRow), origin: 'config' },
  ]);
  expect([first?.version, second?.origin]).toEqual([2, 'config']);
});

test('nothing is taken from another tenant, nor from rows that were refused', async () => {
  const read = createIntegrationReader();
  const rows = rowsOf(200);
  const broken = rows.map((row, index) => (index === 150 ? { ...row, spec: '{}' } : row));
  await expect(read('acme', broken)).rejects.toMatchObject({ code: 'invalid' });
  const [here] = await read('acme', rows);
  const [there] = await read(
    'beta',
    rows.map((row) => ({ ...row, tenant: 'beta' })),
  );
  expect([here?.tenant, there?.tenant]).toEqual(['acme', 'beta']);
  await expect(read('acme', broken)).rejects.toMatchObject({ code: 'invalid' });
});
