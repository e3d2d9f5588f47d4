import { describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { sharedTestControlPlane, startTestControlPlane, type TestControlPlane } from '../control-plane.fixture.ts';

const shared = sharedTestControlPlane();

const template = (members: object = {}) => ({
  name: 'acme',
  version: 1,
  provider: 'Acme',
  title: 'Acme',
  sources: ['https://docs.acme.example'],
  baseUrl: 'https://api.acme.example',
  credential: { type: 'bearer' },
  actions: [{ name: 'things.read', methods: ['GET'], paths: ['/things/**'], risk: 'low' }],
  ...members,
});
const integration = (members: object = {}) => ({ name: 'acme', baseUrl: 'https://api.acme.example', ...members });

function apply(plane: TestControlPlane, sections: object, url = '/v1/apply') {
  const headers = { 'content-type': 'application/yaml' };
  return plane.call({ method: 'POST', url, headers, body: stringify({ version: 1, ...sections }) });
}

async function changesOf(plane: TestControlPlane, sections: object): Promise<string[]> {
  const answer = await apply(plane, sections);
  expect(answer.status, answer.text).toBe(200);
  return answer.body.changes.map((change: { op: string; kind: string; name: string }) => {
    return `${change.op} ${change.kind} ${change.name}`;
  });
}

async function faultsOf(plane: TestControlPlane, sections: object): Promise<string[]> {
  const answer = await apply(plane, sections);
  expect(answer.status, answer.text).toBe(422);
  return answer.body.issues.map(({ field, message }: { field: string; message: string }) => `${field}: ${message}`);
}

async function ownOf(plane: TestControlPlane): Promise<string[]> {
  const { items } = await plane.repositories.templates.listByTenant('default', { limit: 100 });
  return items.map(({ name, version, origin }) => `${name}@${version} ${origin}`);
}

describe('a document with templates', () => {
  test('publishes them before the integrations and rules that need them, and changes nothing when applied again', async () => {
    await using plane = await startTestControlPlane();
    const sections = {
      templates: [template({ version: 2, actions: [...template().actions] }), template()],
      integrations: [integration({ template: 'acme@2' })],
      rules: [{ id: 'reads', effect: 'allow', integrations: ['acme'], actions: ['things.read'] }],
    };
    expect(await changesOf(plane, sections)).toEqual([
      'create template acme@1',
      'create template acme@2',
      'create integration acme',
      'create rule reads',
    ]);
    expect(await ownOf(plane)).toEqual(['acme@1 config', 'acme@2 config']);
    expect(await changesOf(plane, sections)).toEqual([]);
    const exported = parse((await plane.call({ url: '/v1/export' })).body);
    expect(exported.templates).toEqual([template(), template({ version: 2 })]);
    expect(exported.integrations).toEqual([integration({ template: 'acme@2' })]);
    expect(await changesOf(plane, exported)).toEqual([]);
  });

  test('is tried without a trace', async () => {
    await using plane = await startTestControlPlane();
    const sections = { templates: [template()], integrations: [integration({ template: 'acme@1' })] };
    const trial = await apply(plane, sections, '/v1/apply?dryRun=true');
    expect(trial.body.changes).toMatchObject([
      { kind: 'template', name: 'acme@1', op: 'create' },
      { kind: 'integration', name: 'acme', op: 'create' },
    ]);
    expect(await ownOf(plane)).toEqual([]);
  });

  test('takes over what the API published, and takes it back when nobody uses it', async () => {
    await using plane = await startTestControlPlane();
    await plane.call({ method: 'POST', url: '/v1/templates', body: template() });
    await plane.call({ method: 'POST', url: '/v1/templates', body: template({ name: 'by-hand' }) });
    expect(await changesOf(plane, { templates: [template()] })).toEqual([]);
    expect(await ownOf(plane)).toEqual(['acme@1 config', 'by-hand@1 api']);
    expect(await changesOf(plane, {})).toEqual([]);
    expect(await changesOf(plane, { templates: [] })).toEqual(['delete template acme@1']);
    expect(await ownOf(plane)).toEqual(['by-hand@1 api']);
    expect((await plane.call({ url: '/v1/templates/acme' })).status).toBe(404);
    expect(await faultsOf(plane, { templates: [template({ title: 'Other' })] })).toEqual([
      'templates[0].version: acme@1 is published and never changes; give the change a higher version',
    ]);
    expect(await changesOf(plane, { templates: [template()] })).toEqual(['create template acme@1']);
    expect(await ownOf(plane)).toEqual(['acme@1 config', 'by-hand@1 api']);
  });

  test('that drops one which is used is refused, and drops nothing', async () => {
    await using plane = await startTestControlPlane();
    const used = integration({ template: 'acme@1' });
    const rules = [{ id: 'reads', effect: 'allow', integrations: ['acme'], actions: ['things.read'] }];
    await changesOf(plane, { templates: [template()], integrations: [used], rules });
    expect(await faultsOf(plane, { templates: [] })).toEqual([
      'templates: must keep acme@1: integration acme, which is not of this document, uses it',
    ]);
    expect(await faultsOf(plane, { templates: [], integrations: [used] })).toEqual([
      'integrations[0].template: names acme@1, which the document drops from its templates',
    ]);
    expect(await ownOf(plane)).toEqual(['acme@1 config']);
    const moved = { templates: [template({ version: 2 })], integrations: [integration({ template: 'acme@2' })] };
    expect(await changesOf(plane, moved)).toEqual([
      'delete template acme@1',
      'create template acme@2',
      'update integration acme',
    ]);
    // And back: what was published once is there to be used again.
    expect(await changesOf(plane, { templates: [template()], integrations: [used] })).toEqual([
      'delete template acme@2',
      'create template acme@1',
      'update integration acme',
    ]);
    expect(await changesOf(plane, { templates: [], integrations: [], rules: [] })).toEqual([
      'delete template acme@1',
      'delete integration acme',
      'delete rule reads',
    ]);
  });

  test.each<[string, object, string[]]>([
    [
      'one version twice',
      { templates: [template(), template()] },
      ['templates[1].version: is the version of another one in the document'],
    ],
    [
      'versions of two providers',
      { templates: [template({ version: 2, provider: 'Other' }), template()] },
      ['templates[0].provider: must be Acme, as in version 1: the provider never changes'],
    ],
    [
      'a fault in an action',
      { templates: [template({ actions: [{ name: 'all', methods: ['PUT'], paths: ['/*/**'], risk: 'high' }] })] },
      ['templates[0].actions[0].paths[0]: of action all: is too broad for PUT: it names nothing below the base path'],
    ],
    [
      'a built-in one',
      { templates: [template({ name: 'github' })] },
      ['templates[0].version: github@1 is built in; take another name, or a higher version'],
    ],
    [
      'a template that is not there',
      { integrations: [integration({ template: 'githb@1' })] },
      ['integrations[0].template: there is no template githb@1; did you mean github@1?'],
    ],
    [
      'a rule of an action that the template lacks',
      {
        templates: [template()],
        integrations: [integration({ template: 'acme@1' })],
        rules: [{ id: 'r', effect: 'deny', integrations: ['acme'], actions: ['things.write'] }],
      },
      ['rules[0].actions[0]: names an action that no integration of the rule has'],
    ],
    [
      'a misspelt member',
      { templates: [template({ limitSignal: [] })] },
      ['templates[0].limitSignal: is not a known field; did you mean "limitSignals"?'],
    ],
    [
      'a host of the template on a closed address',
      {
        templates: [template({ hosts: ['api.acme.example', '10.0.0.1'] })],
        integrations: [integration({ template: 'acme@1' })],
      },
      ['integrations[0].template: brings the host 10.0.0.1: the address is private'],
    ],
  ])('with %s is refused, naming the field', async (_what, sections, faults) => {
    const told = await faultsOf(shared(), sections);
    expect(told).toHaveLength(faults.length);
    for (const [index, fault] of faults.entries()) expect(told[index]?.startsWith(fault), told[index]).toBe(true);
    expect(await ownOf(shared())).toEqual([]);
  });
});

test('a built-in template needs no publishing', async () => {
  await using plane = await startTestControlPlane();
  const { body } = await plane.call({ url: '/v1/templates/github/versions/1' });
  const { name } = body.actions[0];
  const sections = {
    integrations: [{ name: 'github', baseUrl: body.baseUrl, template: 'github@1' }],
    rules: [{ id: 'r', effect: 'allow', integrations: ['github'], actions: [name] }],
  };
  expect(await changesOf(plane, sections)).toEqual(['create integration github', 'create rule r']);
});

test('a narrower list of hosts than the template has survives the way out and back', async () => {
  await using plane = await startTestControlPlane();
  const hosts = ['api.acme.example', 'uploads.acme.example'];
  const narrow = integration({ template: 'acme@1', hosts: ['api.acme.example'] });
  await changesOf(plane, { templates: [template({ hosts })], integrations: [narrow] });
  const exported = parse((await plane.call({ url: '/v1/export' })).body);
  expect(exported.integrations).toEqual([narrow]);
  expect(await changesOf(plane, exported)).toEqual([]);
});
