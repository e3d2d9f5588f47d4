import { expect, test } from 'vitest';
import { sharedTestControlPlane, startTestControlPlane, type TestControlPlane } from '../control-plane.fixture.ts';

const shared = sharedTestControlPlane();
let count = 0;

const LOOPBACK = {
  name: 'local',
  baseUrl: 'http://127.0.0.1:9000',
  network: { unsafeAllowAddresses: ['127.0.0.1'] },
};

function create(plane: TestControlPlane, body: object, token?: string) {
  return plane.call({ method: 'POST', url: '/v1/integrations', body, ...(token === undefined ? {} : { token }) });
}

test('an integration is created with its defaults, edited and removed', async () => {
  await using plane = await startTestControlPlane();
  const created = await create(plane, { name: 'github', baseUrl: 'https://API.github.com/v3/' });
  expect(created).toMatchObject({
    status: 201,
    body: {
      baseUrl: 'https://api.github.com/v3',
      hosts: ['api.github.com'],
      credential: { type: 'none' },
      timeouts: { connectMs: 5_000, totalMs: 30_000 },
      limits: { requestBytes: 10_485_760 },
      network: { unsafeAllowAddresses: [], unsafeAllowCleartextCredentials: false },
    },
  });
  const patch = (body: object) => plane.call({ method: 'PATCH', url: '/v1/integrations/github', body });
  expect((await patch({ timeouts: { totalMs: 60_000 } })).body.timeouts).toMatchObject({
    connectMs: 5_000,
    totalMs: 60_000,
  });
  expect((await patch({ baseUrl: 'https://github.example' })).body.hosts).toEqual(['github.example']);
  expect((await patch({ timeouts: null })).body.timeouts.totalMs).toBe(30_000);
  const header = { type: 'header', secret: 's', name: 'x-token' };
  expect((await patch({ credential: header })).body.credential).toEqual(header);
  expect((await patch({ credential: { type: 'bearer', secret: 't' } })).body.credential).toEqual({
    type: 'bearer',
    secret: 't',
  });
  expect((await patch({ credential: null })).body.credential).toEqual({ type: 'none' });
  const put = await plane.call({
    method: 'PUT',
    url: '/v1/integrations/github',
    body: { baseUrl: 'https://b.example' },
  });
  expect(put.body).toMatchObject({ id: created.body.id, hosts: ['b.example'] });
  expect((await plane.call({ method: 'DELETE', url: '/v1/integrations/github' })).status).toBe(204);
  expect((await plane.call({ url: '/v1/integrations/github' })).status).toBe(404);
});

test.each<[string, object, string, string]>([
  [
    'a private address',
    { baseUrl: 'https://10.0.0.1' },
    'baseUrl',
    'the address is private; network.unsafeAllowAddresses does not cover it',
  ],
  [
    'a query',
    { baseUrl: 'https://a.example?key=1' },
    'baseUrl',
    'must be an absolute URL such as https://api.example.com/v1: the base URL must have neither query nor fragment',
  ],
  [
    'a template that is not there',
    { template: 'githb@1' },
    'template',
    'there is no template githb@1; did you mean github@1?',
  ],
  ['a listener of its own', { listen: '127.0.0.1:8080' }, 'listen', "is an address of the gateway's own listeners"],
  ['a reference', { tls: { ca: { from: 'file:ca.pem' } } }, 'tls.ca', 'must be text'],
  [
    'a cleartext credential',
    { baseUrl: 'http://a.example', credential: { type: 'bearer', secret: 's' } },
    'baseUrl',
    'must be https where there is a credential, unless network.unsafeAllowCleartextCredentials is true',
  ],
  [
    'an address beyond the ceiling',
    { network: { unsafeAllowAddresses: ['10.0.0.0/8'] } },
    'network.unsafeAllowAddresses[0]',
    'must lie within the networks of POSTERN_UNSAFE_ALLOW_ADDRESSES',
  ],
  [
    'a bad header name',
    { credential: { type: 'header', secret: 's', name: 'Host' } },
    'credential.name',
    expect.any(String),
  ],
])('%s is refused with its field, also in an edit', async (_title, members, field, message) => {
  const plane = shared();
  count++;
  const name = `a${count}`;
  const good = { name, baseUrl: 'https://a.example' };
  const refused = { status: 422, body: { issues: [{ field, message }] } };
  expect(await create(plane, { ...good, ...members })).toMatchObject(refused);
  await create(plane, good);
  expect(
    await plane.call({ method: 'PUT', url: `/v1/integrations/${name}`, body: { ...good, ...members } }),
  ).toMatchObject(refused);
  expect(await plane.call({ method: 'PATCH', url: `/v1/integrations/${name}`, body: members })).toMatchObject(refused);
});

test("unsafe members are the instance owner's; an administrator may edit around them but not redirect what they open", async () => {
  await using plane = await startTestControlPlane();
  const token = await plane.createAdmin('ann', 'admin');
  expect(await create(plane, LOOPBACK, token)).toMatchObject({ status: 403, body: { code: 'forbidden' } });
  expect((await create(plane, LOOPBACK)).status).toBe(201);
  const patch = (body: object) => plane.call({ method: 'PATCH', url: '/v1/integrations/local', token, body });
  expect((await patch({ timeouts: { totalMs: 1_000 } })).status).toBe(200);
  for (const redirect of [
    { baseUrl: 'http://127.0.0.1:9001' },
    { hosts: ['127.0.0.1', 'other.example'] },
    { network: { unsafeAllowAddresses: ['127.0.0.0/8'] } },
    { network: { unsafeAllowCleartextCredentials: true } },
    { network: { ports: [1] } },
  ]) {
    expect(await patch(redirect), JSON.stringify(redirect)).toMatchObject({ status: 403, body: { code: 'forbidden' } });
  }
  expect((await patch({ baseUrl: 'https://a.example', network: null })).status).toBe(200);
  expect((await patch({ network: { unsafeAllowAddresses: ['127.0.0.1'] } })).status).toBe(403);
});

test('a credential that cannot carry the stored secret is refused; before there is a secret it is taken', async () => {
  await using plane = await startTestControlPlane();
  const github = { name: 'github', baseUrl: 'https://api.github.com', credential: { type: 'bearer', secret: 'token' } };
  expect(
    (await create(plane, { ...github, name: 'early', credential: { type: 'bearer', secret: 'later' } })).status,
  ).toBe(201);
  await plane.call({ method: 'PUT', url: '/v1/secrets/token', body: { value: 'seven77' } });
  const refused = await create(plane, github);
  expect(refused).toMatchObject({
    status: 422,
    body: {
      issues: [
        {
          field: 'credential.secret',
          message: "The secret of the integration's credential has fewer than 8 characters",
        },
      ],
    },
  });
  expect(refused.text).not.toContain('seven77');
  await plane.call({ method: 'PUT', url: '/v1/secrets/token', body: { value: 'eight888' } });
  expect((await create(plane, github)).status).toBe(201);
});
