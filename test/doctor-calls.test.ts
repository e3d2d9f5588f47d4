import { generateAgentKey } from '@postern/auth';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { control } from './support/audit-log.ts';
import { type Clinic, startClinic } from './support/clinic.ts';
import type { Diagnosis } from './support/doctor.ts';
import { call } from './support/http-client.ts';
import { LOOPBACK } from './support/scenario.ts';

let clinic: Clinic;
beforeAll(async () => {
  clinic = await startClinic();
});
afterAll(async () => {
  await clinic?.[Symbol.asyncDispose]();
});

describe('what became of calls', () => {
  /** A tenant, and calls of its agent to `api` that were recorded. */
  async function called(change: object, paths: readonly string[]): Promise<string> {
    const { key } = generateAgentKey();
    const agents = [{ name: 'coder', owner: 'alice', environment: 'dev', key }];
    const tenant = await clinic.newTenant(clinic.soundDocument({ agents, ...change }));
    const before = await recorded(tenant);
    await vi.waitFor(async () => {
      const { status } = await call(clinic.gateway.dataUrl, '/v1/whoami', { headers: { 'postern-key': key } });
      expect(status).toBe(200);
    });
    for (const path of paths) await call(clinic.gateway.dataUrl, path, { headers: { 'postern-key': key } });
    await vi.waitFor(async () => expect(await recorded(tenant)).toBeGreaterThanOrEqual(before + paths.length));
    return tenant;
  }

  async function recorded(tenant: string): Promise<number> {
    const types = ['outcome', 'denied', 'ssrf.denied'];
    const pages = await Promise.all(
      types.map((type) => control(clinic.gateway, 'GET', `/v1/audit/events?type=${type}&limit=100`, { tenant })),
    );
    return pages.reduce((sum, page) => sum + page.json().items.length, 0);
  }

  const answering = async (status: number, task: () => Promise<string>) => {
    clinic.upstream.answerWith((_request, response) => void response.writeHead(status).end());
    try {
      return await task();
    } finally {
      clinic.upstream.answerWith((_request, response) => void response.end('fine'));
    }
  };

  const open = () => ({ integrations: [clinic.soundIntegration({ credential: { type: 'none' } })] });

  test('shows a credential that is missing, by 401', async () => {
    const tenant = await answering(401, () => called(open(), ['/to/api/x', '/to/api/x']));
    expect((await clinic.ask(tenant)).find('credential-missing')).toMatchObject({
      message: 'has no credential, and the upstream answered 2 of its last 2 calls with 401',
      remedy: expect.stringContaining('--credential bearer'),
    });
  });

  test('shows a risk scorer that answers no score, until it does', async () => {
    const scorer = { ...LOOPBACK, baseUrl: `${clinic.upstream.url}/scorer/`, model: 'small' };
    const tenant = await called({ ...open(), risk: { scorer } }, ['/to/api/x']);
    expect((await clinic.ask(tenant)).find('scorer-failing')).toMatchObject({
      status: 'warning',
      message: expect.stringMatching(/last 2 questions ended with answer_invalid/),
      remedy: expect.stringContaining('model'),
    });
    clinic.upstream.answerWith(({ url }, response) => {
      const choices = [{ message: { content: '{"score":0}' } }];
      response.end(url.startsWith('/scorer/') ? JSON.stringify({ choices }) : 'fine');
    });
    const sound = await called({ ...open(), risk: { scorer } }, ['/to/api/x']);
    expect((await clinic.ask(sound)).findings.filter(({ code }) => code?.startsWith('scorer'))).toEqual([]);
    clinic.upstream.answerWith((_request, response) => void response.end('fine'));
  });

  test('shows nothing where one call of several is forbidden', async () => {
    const tenant = await called(open(), ['/to/api/x', '/to/api/x']);
    expect((await clinic.ask(tenant)).find('credential-missing')).toBeUndefined();
  });

  test('shows a credential that is not taken', async () => {
    const tenant = await answering(401, () => called({}, ['/to/api/x']));
    expect((await clinic.ask(tenant)).find('credential-refused')).toMatchObject({
      remedy: expect.stringContaining('secrets set token'),
    });
  });

  test('shows a credential that could not be opened', async () => {
    const secrets = { token: { value: 'sealed-0123456789', environments: ['prod'] } };
    const tenant = await called({ secrets }, ['/to/api/x']);
    expect((await clinic.ask(tenant)).find('credential-unavailable')).toMatchObject({
      remedy: 'postern doctor api --agent coder',
    });
  });

  test('shows a base path that clients repeat', async () => {
    const integrations = [clinic.soundIntegration({ baseUrl: `${clinic.upstream.url}/v1` })];
    const tenant = await answering(404, () => called({ integrations }, ['/to/api/v1/items', '/to/api/items']));
    expect((await clinic.ask(tenant)).find('base-path-doubled')).toMatchObject({
      message: '1 of its last calls were for /v1/v1/…, which the upstream does not know (404)',
    });
  });

  test('shows integrations that do not exist', async () => {
    const tenant = await called({}, ['/to/API/x']);
    expect((await clinic.ask(tenant)).find('integration-unknown')).toMatchObject({
      about: 'integration API',
      remedy: expect.stringContaining('api is written so'),
    });
  });

  describe('and why nothing was injected', () => {
    const broken = ({ findings }: Diagnosis) =>
      findings.filter(({ status }) => status === 'broken').map(({ about }) => about);

    test('says that nothing is in the way when nothing is', async () => {
      const tenant = await called({}, ['/to/api/x']);
      const { findings, exitCode } = await clinic.ask(tenant, ['api']);
      expect(exitCode).toBe(0);
      expect(findings.map(({ about }) => about)).toEqual([
        'agent coder',
        'integration api',
        'environment of api',
        'rules for coder and api',
        'upstream 127.0.0.1 of integration api',
        'credential of api',
        'secret token',
        'scheme of api',
        'last call',
        'answer',
      ]);
      expect(findings.find(({ about }) => about.startsWith('rules'))?.message).toMatch(/^rule reads allows GET http/);
      expect(findings.at(-1)?.message).toBe('nothing is in the way: the bearer credential of api is injected');
    });

    test.each<[string, () => object, string, string]>([
      [
        'a secret for others',
        () => ({ secrets: { token: { value: 'sealed-0123456789', environments: ['prod'] } } }),
        'secret token',
        'environment-mismatch',
      ],
      ['no secret', () => ({ secrets: {} }), 'secret token', 'secret-missing'],
      [
        'an integration for others',
        () => ({ integrations: [clinic.soundIntegration({ environments: ['prod'] })] }),
        'environment of api',
        'environment-mismatch',
      ],
      [
        'an integration that is disabled',
        () => ({ integrations: [clinic.soundIntegration({ disabled: true })] }),
        'integration api',
        'integration-disabled',
      ],
      [
        'no credential',
        () => ({ integrations: [clinic.soundIntegration({ credential: { type: 'none' } })] }),
        'credential of api',
        'credential-missing',
      ],
      ['no rule', () => ({ rules: [] }), 'rules for coder and api', 'no-allow-rule'],
      [
        'a rule that denies',
        () => ({
          rules: [
            { id: 'all', effect: 'allow' },
            { id: 'no', effect: 'deny', paths: ['/x'] },
          ],
        }),
        'rules for coder and api',
        'rule-shadowed',
      ],
      [
        'a rule for others',
        () => ({ rules: [{ id: 'all', effect: 'allow', agents: ['role:other'] }] }),
        'rules for coder and api',
        'no-allow-rule',
      ],
      [
        'a name without address',
        () => ({ integrations: [clinic.soundIntegration({ baseUrl: 'https://nowhere.test' })] }),
        'upstream nowhere.test of integration api',
        'host-unresolved',
      ],
      [
        'a private address',
        () => ({ integrations: [clinic.soundIntegration({ baseUrl: 'https://private.test', network: {} })] }),
        'upstream private.test of integration api',
        'host-private',
      ],
    ])('names %s', async (_name, change, about, code) => {
      const tenant = await called(change(), ['/to/api/x']);
      const diagnosis = await clinic.ask(tenant, ['api', '--agent', 'coder']);
      expect(broken(diagnosis)).toEqual([about, 'answer']);
      expect(diagnosis.findings.at(-1)).toMatchObject({
        code,
        message: expect.stringContaining(`nothing is injected: ${about}`),
      });
    });

    test('names the agent that called last, and takes another', async () => {
      const { key } = generateAgentKey();
      const agents = [
        { name: 'aaa', owner: 'alice', disabled: true, key: generateAgentKey().key },
        { name: 'coder', owner: 'alice', environment: 'dev', key },
      ];
      const tenant = await clinic.newTenant(clinic.soundDocument({ agents }));
      await vi.waitFor(async () => {
        expect((await call(clinic.gateway.dataUrl, '/to/api/x', { headers: { 'postern-key': key } })).status).toBe(200);
        expect(await recorded(tenant)).toBeGreaterThan(0);
      });
      expect((await clinic.ask(tenant, ['api'])).findings[0]?.about).toBe('agent coder');
      const other = await clinic.ask(tenant, ['api', '--agent', 'aaa']);
      expect(other.findings[0]).toMatchObject({ about: 'agent aaa', status: 'broken', code: 'agent-disabled' });
    });

    test('says what there is when a name is wrong', async () => {
      const tenant = await clinic.newTenant(clinic.soundDocument());
      await expect(clinic.ask(tenant, ['apu'])).rejects.toThrow(/There is no integration apu\.\s+There are: api\./);
      await expect(clinic.ask(tenant, ['api', '--agent', 'x'])).rejects.toThrow(/There are: coder\./);
    });
  });
});
