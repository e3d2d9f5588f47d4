import { type IntegrationInput, integrationSchema } from '@postern/schemas';
import { describe, expect, test } from 'vitest';
import { effectiveIntegration, policyForm } from './effective-integration.ts';
import { findTemplates } from './find-template.ts';
import { testTemplate } from './template.fixture.ts';

const integration = (members: Partial<IntegrationInput> = {}) =>
  integrationSchema.parse({ name: 'acme', baseUrl: 'https://api.acme.example/v1', template: 'acme@1', ...members });
const effective = async (members: Partial<IntegrationInput> = {}) =>
  effectiveIntegration(integration(members), await findTemplates(['acme@1'], [testTemplate()]));

describe('an integration with a template', () => {
  test('has its actions, hosts and limit signals', async () => {
    const template = testTemplate();
    expect(await effective()).toEqual({
      ...integration(),
      hosts: template.hosts,
      actions: template.actions,
      limitSignals: template.limitSignals,
    });
  });

  test('replaces actions by its own of the same name, and adds its others', async () => {
    const write = { name: 'things.write', methods: ['PUT'], paths: ['/v1/things/{id}'] };
    const other = { name: 'other', methods: ['GET'], paths: ['/v1/other'], approval: 'required' as const };
    const { actions } = await effective({ actions: [other, write] });
    expect(actions.map(({ name, methods, risk }) => [name, methods, risk])).toEqual([
      ['things.read', ['GET', 'HEAD'], 'low'],
      ['things.write', ['PUT'], undefined],
      ['other', ['GET'], undefined],
    ]);
  });

  test.each<[string, Partial<IntegrationInput>, string[] | undefined]>([
    ['names its own', { hosts: ['api.acme.example'] }, ['api.acme.example']],
    ['is on one of them', { baseUrl: 'https://uploads.acme.example' }, ['api.acme.example', 'uploads.acme.example']],
    ['is elsewhere', { baseUrl: 'https://acme.intern.example' }, undefined],
  ])('that %s has the hosts', async (_what, members, hosts) => {
    expect((await effective(members)).hosts).toEqual(hosts);
  });

  test('that is not there is disabled', async () => {
    const given = integration({ template: 'acme@2' });
    expect(effectiveIntegration(given, await findTemplates(['acme@1'], [testTemplate()]))).toEqual({
      ...given,
      disabled: true,
    });
  });

  test('decides as one that has the same actions by itself', async () => {
    const { actions, hosts } = await effective();
    const without = integration({ template: null, actions, hosts });
    expect(policyForm(await effective())).toEqual(policyForm(without));
    expect(policyForm(without)).not.toHaveProperty('template');
  });
});

test('an integration without a template is itself', async () => {
  const given = integration({ template: null });
  expect(effectiveIntegration(given, await findTemplates([null], []))).toBe(given);
});
