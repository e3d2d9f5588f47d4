import { type IntegrationInput, integrationSchema, type TemplateInput, templateSchema } from '@postern/schemas';
import { describe, expect, test } from 'vitest';
import { AGENT, type MakeDbHarness } from './harness.ts';
import { shareHarness } from './shared-harness.ts';

const ACME: TemplateInput = {
  name: 'acme-api',
  version: 1,
  provider: 'Acme',
  title: 'Acme',
  sources: ['https://docs.acme.example'],
  baseUrl: 'https://api.acme.example',
  credential: { type: 'bearer' },
  actions: [{ name: 'things.read', methods: ['GET'], paths: ['/things/**'], risk: 'low' }],
};

export function describeIntegrationTemplatesPort(makeHarness: MakeDbHarness): void {
  describe('integrations with templates and secrets', () => {
    const shared = shareHarness(makeHarness);
    const integrations = () => shared.repositories.integrations;
    const specOf = (change: Partial<IntegrationInput> = {}) =>
      integrationSchema.parse({ name: 'api', baseUrl: 'https://api.acme.example', ...change });
    const newIntegration = async (tenant: string, change: Partial<IntegrationInput> = {}) =>
      (await integrations().create(tenant, specOf(change), 'api')).id;
    const publish = (tenant: string, version = 1) => {
      const document = JSON.stringify(templateSchema.parse({ ...ACME, version }));
      const { templates } = shared.repositories;
      return shared.within((context) =>
        templates.createTemplateVersionImmutable({ tenant, document, origin: 'api' }, context),
      );
    };
    const writeSecret = (tenant: string, name: string) => {
      const version = { tenant, name, version: 1, kekId: 'k1', envelope: '{"sealed":true}' };
      const { secrets } = shared.repositories;
      return shared.within((context) => secrets.createSecretEnvelopeVersion(version, { origin: 'api' }, context));
    };

    test('a binding names the template version, or none', async () => {
      const tenant = await shared.newTenant();
      const plain = await newIntegration(tenant);
      const bound = await newIntegration(tenant, { name: 'bound', template: 'acme-api@12' });
      const read = (id: string, owner = tenant) => integrations().getIntegrationTemplateBinding(owner, id);
      expect(await read(plain)).toEqual({ tenant, integrationId: plain, integration: 'api' });
      expect(await read(bound)).toEqual({
        tenant,
        integrationId: bound,
        integration: 'bound',
        template: { name: 'acme-api', version: 12 },
      });
      expect(await read(bound, await shared.newTenant())).toBeUndefined();
      expect(await read('nobody')).toBeUndefined();
    });

    test('the template of the tenant itself comes along, and no other', async () => {
      const [tenant, other] = [await shared.newTenant(), await shared.newTenant()];
      const id = await newIntegration(tenant, { template: 'acme-api@1' });
      const bound = async () => (await integrations().getIntegrationTemplateForPolicyEvaluation(tenant, id))?.bound;
      const notStored = { kind: 'not_stored', name: 'acme-api', version: 1 };
      expect(await bound()).toEqual(notStored);
      await publish(other);
      await publish(tenant, 10);
      expect(await bound()).toEqual(notStored);
      const fresh = await shared.newTenant();
      const named = await newIntegration(fresh, { template: 'acme-api@1' });
      const { record } = await publish(fresh);
      const read = await integrations().getIntegrationTemplateForPolicyEvaluation(fresh, named);
      expect(read).toEqual({
        integration: await integrations().getById(fresh, named),
        bound: { kind: 'stored', template: record },
      });
      const none = await newIntegration(fresh, { name: 'none' });
      const plain = await integrations().getIntegrationTemplateForPolicyEvaluation(fresh, none);
      expect(plain?.bound).toEqual({ kind: 'none' });
    });

    test('a version that is out of use is not stored for those who read it', async () => {
      const tenant = await shared.newTenant();
      const id = await newIntegration(tenant, { template: 'acme-api@1' });
      await publish(tenant);
      await shared.within((context) =>
        shared.repositories.templates.retireTemplateVersion(tenant, 'acme-api', 1, context),
      );
      const read = await integrations().getIntegrationTemplateForPolicyEvaluation(tenant, id);
      expect(read?.bound.kind).toBe('not_stored');
    });

    test.each([
      [false, false, 'executable'],
      [true, false, 'agent_disabled'],
      [false, true, 'integration_disabled'],
      [true, true, 'agent_disabled'],
    ])('agent disabled %s, integration disabled %s: %s', async (agentIsDisabled, integrationIsDisabled, status) => {
      const tenant = await shared.newTenant();
      const agent = await shared.repositories.agents.create(tenant, { ...AGENT, disabled: agentIsDisabled }, 'api');
      const integrationId = await newIntegration(tenant, { disabled: integrationIsDisabled, template: 'acme-api@1' });
      const { record } = await publish(tenant);
      const call = { integrationId, agentId: agent.id };
      expect(await integrations().getIntegrationTemplateForExecute(tenant, call)).toEqual({
        agent,
        integration: await integrations().getById(tenant, integrationId),
        bound: { kind: 'stored', template: record },
        executable: status === 'executable',
        executionStatus: status,
      });
    });

    test('nothing is executed for a foreign agent, or on a foreign integration', async () => {
      const [tenant, other] = [await shared.newTenant(), await shared.newTenant()];
      const agentId = await shared.newAgent(tenant);
      const integrationId = await newIntegration(tenant);
      const foreign = { agentId: await shared.newAgent(other), integrationId: await newIntegration(other) };
      const read = (owner: string, call: { agentId: string; integrationId: string }) =>
        integrations().getIntegrationTemplateForExecute(owner, call);
      expect((await read(tenant, { agentId, integrationId }))?.executable).toBe(true);
      expect(await read(other, { agentId, integrationId })).toBeUndefined();
      expect(await read(tenant, { agentId: foreign.agentId, integrationId })).toBeUndefined();
      expect(await read(tenant, { agentId, integrationId: foreign.integrationId })).toBeUndefined();
      expect(await read(tenant, { agentId: 'nobody', integrationId })).toBeUndefined();
    });

    test('what is written in a transaction is read in it', async () => {
      const tenant = await shared.newTenant();
      await shared.within(async (context) => {
        const { id } = await integrations().create(tenant, specOf(), 'api', context);
        const binding = await integrations().getIntegrationTemplateBinding(tenant, id, context);
        expect(binding?.integrationId).toBe(id);
      });
    });

    describe('binding a secret', () => {
      const CREDENTIAL = { type: 'header', secret: 'old', name: 'X-Key', prefix: 'Token ' } as const;
      const bind = (tenant: string, id: string, secret: string, ifVersion?: number) =>
        shared.within((context) =>
          integrations().bindSecret(tenant, id, { secret, ...(ifVersion === undefined ? {} : { ifVersion }) }, context),
        );

      test('changes the secret of the credential and nothing else', async () => {
        const tenant = await shared.newTenant();
        const id = await newIntegration(tenant, { credential: CREDENTIAL });
        await writeSecret(tenant, 'new');
        const before = await integrations().getById(tenant, id);
        const bound = await bind(tenant, id, 'new', 1);
        expect(bound).toMatchObject({ version: 2, spec: { credential: { ...CREDENTIAL, secret: 'new' } } });
        expect({ ...bound.spec, credential: before?.spec.credential }).toEqual(before?.spec);
        expect(await integrations().getById(tenant, id)).toEqual(bound);
      });

      test('runs only inside a transaction, and falls with it', async () => {
        const tenant = await shared.newTenant();
        const id = await newIntegration(tenant, { credential: CREDENTIAL });
        await writeSecret(tenant, 'new');
        const alone = integrations().bindSecret(tenant, id, { secret: 'new' }, {});
        await expect(alone).rejects.toMatchObject({ code: 'invalid' });
        const failed = shared.within(async (context) => {
          await integrations().bindSecret(tenant, id, { secret: 'new' }, context);
          throw new Error('changed my mind');
        });
        await expect(failed).rejects.toThrow('changed my mind');
        expect((await integrations().getById(tenant, id))?.spec.credential).toEqual(CREDENTIAL);
      });

      test('is refused without the secret, the integration, the version or a credential that has one', async () => {
        const [tenant, other] = [await shared.newTenant(), await shared.newTenant()];
        const id = await newIntegration(tenant, { credential: CREDENTIAL });
        await writeSecret(tenant, 'new');
        await writeSecret(other, 'foreign');
        await expect(bind(tenant, id, 'foreign')).rejects.toMatchObject({ code: 'not_found' });
        await expect(bind(tenant, id, '')).rejects.toMatchObject({ code: 'invalid' });
        await expect(bind(other, id, 'foreign')).rejects.toMatchObject({ code: 'not_found' });
        await expect(bind(tenant, id, 'new', 2)).rejects.toMatchObject({ code: 'stale' });
        const open = await newIntegration(tenant, { name: 'open' });
        await expect(bind(tenant, open, 'new')).rejects.toMatchObject({ code: 'invalid' });
        expect((await integrations().getById(tenant, id))?.version).toBe(1);
      });
    });
  });
}
