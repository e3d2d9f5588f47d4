import type { IntegrationRecord, TenantDirectory } from '@postern/db/ports';
import { DEFAULT_RISK, integrationSchema, templateSchema } from '@postern/schemas';
import { expect, test } from 'vitest';
import { withTemplates } from './effective-directory.ts';

const ACME = templateSchema.parse({
  name: 'acme',
  version: 1,
  provider: 'Acme',
  title: 'Acme',
  sources: ['https://docs.acme.example'],
  baseUrl: 'https://api.acme.example',
  credential: { type: 'bearer' },
  actions: [{ name: 'read', methods: ['GET'], paths: ['/things/**'], risk: 'low' }],
});

function snapshotOf(...templates: (string | null)[]): TenantDirectory {
  const stamps = { origin: 'api', version: 1, createdAt: 0, updatedAt: 0 } as const;
  const integrations = templates.map((template, index): IntegrationRecord => {
    const name = `i${index}`;
    const spec = integrationSchema.parse({ name, baseUrl: 'https://api.acme.example', template });
    return { tenant: 't', id: name, name, spec, ...stamps };
  });
  return {
    tenant: 't',
    revision: 1,
    limits: {},
    integrations,
    rules: [],
    globalRules: [],
    settings: { tenant: 't', risk: DEFAULT_RISK, version: 0 },
    secrets: [],
    templates: [
      { tenant: 't', name: 'acme', version: 1, spec: ACME, contentHash: '0'.repeat(64), origin: 'api', createdAt: 0 },
    ],
  };
}

async function effective(snapshot: TenantDirectory) {
  const missing: string[] = [];
  const result = await withTemplates(snapshot, ({ message }) => missing.push(message));
  return { result, missing };
}

test('a tenant without templates is taken as it is', async () => {
  const snapshot = snapshotOf(null, null);
  expect(await effective(snapshot)).toEqual({ result: snapshot, missing: [] });
  expect((await effective(snapshot)).result).toBe(snapshot);
});

test('integrations get what their own and built-in templates give', async () => {
  const { result, missing } = await effective(snapshotOf('acme@1', null, 'github@1'));
  expect(result.integrations[0]?.spec.actions).toEqual(ACME.actions);
  expect(result.integrations[1]?.spec.actions).toEqual([]);
  expect(result.integrations[2]?.spec.actions.map(({ name }) => name)).toContain('issues.read');
  expect(result.integrations[2]?.spec.limitSignals?.length).toBeGreaterThan(0);
  expect(missing).toEqual([]);
});

test('one whose template is not there is disabled, told of, and the others work on', async () => {
  const { result, missing } = await effective(snapshotOf('acme@2', 'acme@1'));
  expect(result.integrations.map(({ spec }) => spec.disabled)).toEqual([true, false]);
  expect(missing).toEqual(['integration i0 is disabled: there is no template acme@2']);
});
