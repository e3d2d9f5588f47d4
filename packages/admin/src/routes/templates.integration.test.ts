import { builtinTemplates } from '@postern/templates';
import { describe, expect, test } from 'vitest';
import { sharedTestControlPlane, startTestControlPlane, type TestControlPlane } from '../control-plane.fixture.ts';

const shared = sharedTestControlPlane();

const ACME = {
  name: 'acme',
  version: 1,
  provider: 'Acme',
  title: 'Acme',
  sources: ['https://docs.acme.example'],
  baseUrl: 'https://api.acme.example',
  hosts: ['api.acme.example', 'uploads.acme.example'],
  credential: { type: 'bearer' },
  actions: [
    { name: 'things.read', methods: ['GET'], paths: ['/things/**'], risk: 'low' },
    { name: 'things.write', methods: ['POST'], paths: ['/things'], risk: 'medium' },
  ],
};

const publish = (plane: TestControlPlane, members: object = {}, more: object = {}) =>
  plane.call({ method: 'POST', url: '/v1/templates', body: { ...ACME, ...members }, ...more });
const integrate = (plane: TestControlPlane, members: object = {}, more: object = {}) => {
  const body = { name: 'acme', baseUrl: 'https://api.acme.example', template: 'acme@1', ...members };
  return plane.call({ method: 'POST', url: '/v1/integrations', body, ...more });
};
const issuesOf = (answer: { body: { issues: { field: string; message: string }[] } }) =>
  answer.body.issues.map(({ field, message }) => `${field}: ${message}`);

describe('publishing', () => {
  test('a version is 201, the same again 200, other content 409, and nothing of it changes', async () => {
    await using plane = await startTestControlPlane();
    const first = await publish(plane);
    expect(first.status, first.text).toBe(201);
    expect(first.body).toMatchObject({
      ...ACME,
      id: 'acme@1',
      builtin: false,
      origin: 'api',
      contentHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      createdAt: expect.any(String),
      description: '',
      limitSignals: [],
    });
    plane.clock.now += 60_000;
    const again = await publish(plane, { description: '', limitSignals: [] });
    expect(again.status).toBe(200);
    expect(again.body).toEqual(first.body);
    const other = await publish(plane, { title: 'Other' });
    expect(other.status).toBe(409);
    expect(other.body).toMatchObject({ code: 'conflict', detail: expect.stringContaining('acme@1 is published') });
    expect((await plane.call({ url: '/v1/templates/acme/versions/1' })).body).toEqual(first.body);
  });

  test('is recorded and stamps the tenant once, and the same again does not', async () => {
    await using plane = await startTestControlPlane();
    await publish(plane);
    const { revision } = await plane.repositories.directory.changesSince(0);
    await publish(plane);
    expect((await plane.repositories.directory.changesSince(0)).revision).toBe(revision);
    expect(plane.changed).toEqual(['default']);
    const { items } = (await plane.call({ url: '/v1/audit/events?type=admin.created' })).body;
    expect(items).toMatchObject([{ subject: 'template:acme@1', actor: 'bootstrap' }]);
  });

  test('at once with different content leaves one of them', async () => {
    await using plane = await startTestControlPlane();
    const titles = ['One', 'Two', 'Three', 'Two', 'One'];
    const answers = await Promise.all(titles.map((title) => publish(plane, { title })));
    const stored = (await plane.call({ url: '/v1/templates/acme' })).body;
    expect(answers.filter(({ status }) => status === 201).map(({ body }) => body)).toEqual([stored]);
    const taken = titles.map((title) => title === stored.title);
    expect(answers.map(({ status }) => status < 300)).toEqual(taken);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200, 201, 409]));
  });

  test('the number only rises, and the provider stays', async () => {
    await using plane = await startTestControlPlane();
    expect((await publish(plane, { version: 3 })).status).toBe(201);
    const lower = await publish(plane, { version: 2 });
    expect(lower.status).toBe(422);
    expect(issuesOf(lower)).toEqual(['version: must be above 3: versions of a template only rise']);
    const foreign = await publish(plane, { version: 4, provider: 'Other' });
    expect(issuesOf(foreign)).toEqual(['provider: must be Acme, as in version 3: the provider never changes']);
    expect((await publish(plane, { version: 4 })).status).toBe(201);
  });

  test.each<[string, object, string[]]>([
    [
      'a pattern that names nothing',
      { actions: [{ name: 'all', methods: ['POST'], paths: ['/**'], risk: 'medium' }] },
      ['actions[0].paths[0]: of action all: is too broad for POST'],
    ],
    [
      'an action without a tier',
      { actions: [{ name: 'a', methods: ['GET'], paths: ['/x'] }] },
      ['actions[0].risk: of action a: is required'],
    ],
    [
      'a path that no call has',
      { actions: [{ name: 'a', methods: ['GET'], paths: ['/x/../y'], risk: 'low' }] },
      ['actions[0].paths[0]: of action a: must not hold a dot segment'],
    ],
    ['a misspelt member', { hots: [] }, ['hots: is not a known field; did you mean "hosts"?']],
    ['a host with a wildcard', { hosts: ['*.acme.example'] }, ['hosts[0]: must be an exact lower-case host name']],
    ['no sources', { sources: [] }, ['sources: must have at least 1 item']],
    ['a base URL in clear', { baseUrl: 'http://api.acme.example' }, ['baseUrl: must be https']],
    ['a version of 0', { version: 0 }, ['version: must be at least 1']],
  ])('%s is refused with its field', async (_what, members, faults) => {
    const answer = await publish(shared(), members);
    expect(answer.status).toBe(422);
    const issues = issuesOf(answer);
    expect(issues).toHaveLength(faults.length);
    for (const [index, fault] of faults.entries()) expect(issues[index]?.startsWith(fault), issues[index]).toBe(true);
  });

  test('what is built in cannot be taken', async () => {
    const taken = await publish(shared(), { name: 'github' });
    expect(taken.status).toBe(409);
    expect(taken.body.detail).toContain('github@1 is built in');
    const foreign = await publish(shared(), { name: 'github', version: 999_999 });
    expect(issuesOf(foreign)).toEqual([expect.stringMatching(/^provider: must be /)]);
  });

  test.each<['auditor' | 'operator' | 'approver', number, number]>([
    ['auditor', 200, 403],
    ['operator', 200, 403],
    ['approver', 403, 403],
  ])('the role %s reads with %d and publishes with %d', async (role, read, write) => {
    const token = await shared().createAdmin(`templates-${role}`, role);
    expect((await shared().call({ url: '/v1/templates', token })).status).toBe(read);
    expect((await publish(shared(), {}, { token })).status).toBe(write);
  });
});

describe('reading', () => {
  test('lists have own and built-in ones by name, the latest of each, in pages', async () => {
    await using plane = await startTestControlPlane();
    for (const version of [1, 2, 10]) await publish(plane, { version });
    await publish(plane, { name: 'AAA' });
    const builtin = (await builtinTemplates()).map(({ name }) => name);
    const names: string[] = [];
    let cursor: string | undefined;
    do {
      const url: string = `/v1/templates?limit=2${cursor === undefined ? '' : `&cursor=${cursor}`}`;
      const { body } = await plane.call({ url });
      names.push(
        ...body.items.map(({ id, builtin: isBuiltin }: { id: string; builtin: boolean }) => `${id} ${isBuiltin}`),
      );
      cursor = body.nextCursor;
    } while (cursor !== undefined);
    expect(names.filter((name) => name.endsWith('false'))).toEqual(['AAA@1 false', 'acme@10 false']);
    expect(new Set(names.map((name) => name.split('@')[0]))).toEqual(new Set([...builtin, 'AAA', 'acme']));
    expect(names).toEqual([...names].sort());
    for (const bad of ['nonsense', Buffer.from('["templates/acme",3]').toString('base64url')]) {
      expect((await plane.call({ url: `/v1/templates?cursor=${bad}` })).status).toBe(422);
    }
  });

  test('versions go from the newest, in pages', async () => {
    await using plane = await startTestControlPlane();
    for (const version of [1, 2, 10]) await publish(plane, { version });
    const first = (await plane.call({ url: '/v1/templates/acme/versions?limit=2' })).body;
    expect(first.items.map(({ id }: { id: string }) => id)).toEqual(['acme@10', 'acme@2']);
    const rest = (await plane.call({ url: `/v1/templates/acme/versions?cursor=${first.nextCursor}` })).body;
    expect(rest.items.map(({ id }: { id: string }) => id)).toEqual(['acme@1']);
    expect(rest).not.toHaveProperty('nextCursor');
    expect((await plane.call({ url: '/v1/templates/acme' })).body.version).toBe(10);
    expect((await plane.call({ url: '/v1/templates/acme@2' })).body.version).toBe(2);
    expect((await plane.call({ url: '/v1/templates/acme/versions/2' })).body.version).toBe(2);
  });

  test.each([
    ['/v1/templates/nope'],
    ['/v1/templates/nope/versions'],
    ['/v1/templates/nope/versions/1'],
    ['/v1/templates/nope@1'],
    ['/v1/templates/github/versions/999'],
    ['/v1/templates/github/versions/x'],
    ['/v1/templates/..%2fagents'],
  ])('%s is 404', async (url) => {
    expect((await shared().call({ url })).status).toBe(404);
  });

  test('another tenant sees nothing of it, and may have its own of that name', async () => {
    await using plane = await startTestControlPlane();
    await plane.repositories.tenants.create('other');
    await publish(plane);
    for (const url of [
      '/v1/templates/acme',
      '/v1/templates/acme@1',
      '/v1/templates/acme/versions',
      '/v1/templates/acme/versions/1',
    ]) {
      expect((await plane.call({ url, tenant: 'other' })).status, url).toBe(404);
    }
    const list = (await plane.call({ url: '/v1/templates?limit=100', tenant: 'other' })).body;
    expect(list.items.filter(({ builtin }: { builtin: boolean }) => !builtin)).toEqual([]);
    const refused = await integrate(plane, {}, { tenant: 'other' });
    expect(refused.status).toBe(422);
    expect(issuesOf(refused)).toEqual([expect.stringMatching(/^template: there is no template acme@1; (?!did)/)]);
    expect((await publish(plane, { title: 'Another' }, { tenant: 'other' })).status).toBe(201);
    expect((await plane.call({ url: '/v1/templates/acme' })).body.title).toBe('Acme');
  });
});

describe('an integration with a template', () => {
  test.each([
    ['acme@2', 'template: there is no template acme@2; the latest of that name is acme@1'],
    ['acmee@1', 'template: there is no template acmee@1; did you mean acme@1?'],
    ['zzzzzzzz@1', 'template: there is no template zzzzzzzz@1; "postern templates list" shows what there is'],
    ['acme', 'template: must be NAME@VERSION, such as github@1'],
    ['acme@0', 'template: must be NAME@VERSION, such as github@1'],
    ['acme@latest', 'template: must be NAME@VERSION, such as github@1'],
  ])('that names %s is refused: %s', async (template, fault) => {
    await using plane = await startTestControlPlane();
    await publish(plane);
    const answer = await integrate(plane, { template });
    expect(answer.status).toBe(422);
    expect(issuesOf(answer)).toEqual([fault]);
  });

  test('may have rules that name its actions, those of the template too, and no others', async () => {
    await using plane = await startTestControlPlane();
    await publish(plane);
    const own = [{ name: 'own', methods: ['GET'], paths: ['/own'] }];
    expect((await integrate(plane, { actions: own })).status).toBe(201);
    const rule = (action: string) =>
      plane.call({
        method: 'POST',
        url: '/v1/apply',
        headers: { 'content-type': 'application/yaml' },
        body: `version: 1\nrules: [{ id: r, effect: allow, integrations: [acme], actions: [${action}] }]\n`,
      });
    expect((await rule('things.write')).status).toBe(200);
    expect((await rule('own')).status).toBe(200);
    const unknown = await rule('things.writ');
    expect(unknown.status).toBe(422);
    expect(issuesOf(unknown)).toEqual(['rules[0].actions[0]: names an action that no integration of the rule has']);
  });

  test('is stored as it was written, so that it can be written back', async () => {
    await using plane = await startTestControlPlane();
    await publish(plane);
    const created = (await integrate(plane)).body;
    expect(created).toMatchObject({ template: 'acme@1', actions: [] });
    expect(created).not.toHaveProperty('hosts');
    const { body } = await plane.call({ url: '/v1/integrations/acme' });
    const replaced = await plane.call({ method: 'PUT', url: '/v1/integrations/acme', body });
    expect(replaced.status, replaced.text).toBe(200);
    expect(replaced.body).toMatchObject({ template: 'acme@1', actions: [] });
    const without = await plane.call({ method: 'PATCH', url: '/v1/integrations/acme', body: { template: null } });
    expect(without.body).toMatchObject({ template: null, hosts: ['api.acme.example'] });
    const back = await plane.call({ method: 'PATCH', url: '/v1/integrations/acme', body: { template: 'acme@1' } });
    expect(back.body).not.toHaveProperty('hosts');
  });

  test('makes another policy version when its template brings other actions, and the same when not', async () => {
    await using plane = await startTestControlPlane();
    await publish(plane);
    await publish(plane, { version: 2, title: 'Renamed' });
    await publish(plane, { version: 3, actions: ACME.actions.slice(0, 1) });
    await integrate(plane);
    const versions = async () => {
      const { items } = (await plane.call({ url: '/v1/audit/events?type=policy.activated' })).body;
      return items.map(({ policyVersion }: { policyVersion: string }) => policyVersion);
    };
    const before = await versions();
    const use = (template: string) => plane.call({ method: 'PATCH', url: '/v1/integrations/acme', body: { template } });
    expect((await use('acme@2')).status).toBe(200);
    expect(await versions()).toEqual(before);
    expect((await use('acme@3')).status).toBe(200);
    expect(await versions()).toHaveLength(before.length + 1);
  });

  test('judges the hosts that it is brought, and who may open the machine for them', async () => {
    await using plane = await startTestControlPlane();
    const token = await plane.createAdmin('second', 'admin', 'default');
    const hosts = ['api.acme.example', '127.0.0.1'];
    expect((await publish(plane, { hosts })).status).toBe(201);
    const closed = await integrate(plane);
    expect(issuesOf(closed)).toEqual([
      'template: brings the host 127.0.0.1: the address is loopback; network.unsafeAllowAddresses does not cover it',
    ]);
    const network = { unsafeAllowAddresses: ['127.0.0.0/8'] };
    expect((await integrate(plane, { network })).status).toBe(201);
    // More hosts behind an opening that the owner made are not an admin's to add.
    await publish(plane, { version: 2, hosts: [...hosts, 'more.acme.example'] });
    const widened = { method: 'PATCH', url: '/v1/integrations/acme', body: { template: 'acme@2' } } as const;
    expect((await plane.call({ ...widened, token })).status).toBe(403);
    expect((await plane.call(widened)).status).toBe(200);
  });
});
