import { expect, test } from 'vitest';
import { sharedTestControlPlane, startTestControlPlane, type TestControlPlane } from '../control-plane.fixture.ts';

const shared = sharedTestControlPlane();

function put(plane: TestControlPlane, body: object, headers: Record<string, string> = {}) {
  return plane.call({ method: 'PUT', url: '/v1/secrets/token', body, headers });
}

test('each write is a new active version, sealed to its name, and no answer, entry or log line has a value', async () => {
  await using plane = await startTestControlPlane();
  const first = await put(plane, { value: 'first-value-long', environments: ['dev'] });
  expect(first).toMatchObject({ status: 201, body: { name: 'token', activeVersion: 1, environments: ['dev'] } });
  const second = await put(plane, { value: 'second-value-long' });
  expect(second).toMatchObject({ status: 200, body: { activeVersion: 2, environments: ['dev'] } });
  const answers = [first, second];
  for (const url of [
    '/v1/secrets',
    '/v1/secrets/token',
    '/v1/secrets/token/versions',
    '/v1/audit/events',
    '/v1/export',
  ]) {
    answers.push(await plane.call({ url }));
  }
  const seen = [...answers.map(({ text }) => text), ...plane.logged].join('\n');
  expect(seen).not.toMatch(/first-value|second-value|envelope|ciphertext/);
  const stored = await plane.repositories.secrets.getActiveSecretEnvelope('default', 'token');
  expect(stored?.envelope).not.toContain('second-value-long');
  const envelope = JSON.parse(stored?.envelope ?? '{}');
  const opened = plane.vault.open({ tenant: 'default', name: 'token', version: 2 }, envelope);
  expect(Buffer.from(opened).toString()).toBe('second-value-long');
  expect(() => plane.vault.open({ tenant: 'default', name: 'token', version: 1 }, envelope)).toThrow();
});

test('environments stay with a rotation; null opens them to all, a list sets them', async () => {
  await using plane = await startTestControlPlane();
  const environments = async (body: object) =>
    (await put(plane, { value: 'long-enough-value', ...body })).body.environments;
  expect(await environments({ environments: ['dev'] })).toEqual(['dev']);
  expect(await environments({})).toEqual(['dev']);
  expect(await environments({ environments: ['prod'] })).toEqual(['prod']);
  expect(await environments({ environments: null })).toBeUndefined();
});

test('versions are listed newest first and an earlier one is made active again', async () => {
  await using plane = await startTestControlPlane();
  await put(plane, { value: 'first-value-long' });
  await put(plane, { value: 'second-value-long' });
  const createdAt = '2026-03-01T12:00:00.000Z';
  expect((await plane.call({ url: '/v1/secrets/token/versions' })).body.items).toEqual([
    { version: 2, active: true, createdAt },
    { version: 1, active: false, createdAt },
  ]);
  const activate = (version: string) => {
    return plane.call({ method: 'POST', url: `/v1/secrets/token/versions/${version}/activate` });
  };
  expect(await activate('1')).toMatchObject({ status: 200, body: { activeVersion: 1 } });
  const changes = plane.changed.length;
  expect((await activate('1')).status).toBe(200);
  expect(plane.changed).toHaveLength(changes);
  for (const version of ['3', '0', 'x', '1.5']) expect((await activate(version)).status, version).toBe(404);
  const { items } = (await plane.call({ url: '/v1/audit/events' })).body;
  expect(items.map(({ type, credential }: { type: string; credential: string }) => `${type} ${credential}`)).toEqual([
    'secret.activated token',
    'secret.written token',
    'secret.written token',
  ]);
});

test.each<[object, object]>([
  [{}, { field: 'value', message: 'is required' }],
  [{ value: '' }, { field: 'value', message: 'must not be empty' }],
  [{ value: 12 }, { field: 'value', message: 'must be text; write it in quotes' }],
  [
    { value: 'hunter22hunter22', enviroments: [] },
    { field: 'enviroments', message: 'is not a known field; did you mean "environments"?' },
  ],
  [{ value: { deep: 'hunter22hunter22' } }, { field: 'value', message: 'must be text' }],
  [{ value: 'x'.repeat(65_537) }, { field: 'value', message: 'must have at most 65536 characters' }],
])('the body %# is refused without its value', async (body, issue) => {
  const plane = shared();
  const answer = await put(plane, body);
  expect(answer).toMatchObject({ status: 422, body: { issues: [issue] } });
  expect(answer.text + plane.logged.join('')).not.toContain('hunter22');
});

test('a value that a credential in use cannot carry is refused', async () => {
  await using plane = await startTestControlPlane();
  const body = { name: 'github', baseUrl: 'https://api.github.com', credential: { type: 'bearer', secret: 'token' } };
  await plane.call({ method: 'POST', url: '/v1/integrations', body });
  expect(await put(plane, { value: 'seven77' })).toMatchObject({
    status: 422,
    body: {
      issues: [
        {
          field: 'value',
          message: "The secret of the integration's credential has fewer than 8 characters (integration github)",
        },
      ],
    },
  });
  expect((await put(plane, { value: 'eight888' })).status).toBe(201);
});

test('a write under a stale tag is refused', async () => {
  await using plane = await startTestControlPlane();
  const value = { value: 'long-enough-value' };
  expect(await put(plane, value, { 'if-match': '"1-0"' })).toMatchObject({ status: 412 });
  const { headers } = await put(plane, value);
  const tag = { 'if-match': headers['etag'] ?? '' };
  expect((await put(plane, value, tag)).status).toBe(200);
  expect(await put(plane, value, tag)).toMatchObject({ status: 412, body: { code: 'precondition_failed' } });
});

test('there is no way to read a value', async () => {
  await using plane = await startTestControlPlane();
  await put(plane, { value: 'long-enough-value' });
  for (const url of ['/v1/secrets/token/value', '/v1/secrets/token/versions/1', '/v1/secrets/token?reveal=true']) {
    expect((await plane.call({ url })).text, url).not.toContain('long-enough-value');
  }
});
