import { createHash } from 'node:crypto';
import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { postJson } from '../client.fixture.ts';
import { TENANT, type TestGateway } from '../gateway.fixture.ts';
import { SECRET, startOn } from '../refused-call.fixture.ts';

let upstream: Upstream;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startOn(
    upstream.port,
    { rules: [{}, { id: 'no-admin', effect: 'deny', hard: true, paths: ['/v1/admin/**'] }] },
    {
      baseUrl: `http://upstream.test:${upstream.port}/v1`,
      actions: [{ name: 'things.write', methods: ['POST'], paths: ['/v1/things/**'], risk: 'medium' }],
    },
  );
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

describe('explain', () => {
  const explain = (request: object) =>
    postJson(gateway, '/v1/explain', {
      integration: 'api',
      request: { method: 'POST', path: '/things/1', ...request },
    });

  test('tells what would become of a call, and neither opens, records nor sends anything', async () => {
    gateway.secrets.clear();
    await gateway.journal.flush();
    const size = await gateway.repositories.audit.size(TENANT);
    const answer = await explain({ body: { a: 1 }, headers: { 'X-A': '1', Cookie: 'a=b', Authorization: 'Bearer x' } });
    expect(answer.status).toBe(200);
    const { descriptor, fingerprint, trace, ...told } = answer.json();
    expect(told).toEqual({
      decision: 'allow',
      rule: 'all',
      reason: expect.any(String),
      hard: false,
      risk: {
        score: 0.4,
        labels: [],
        factors: [
          { name: 'tier:medium', value: 0.3 },
          { name: 'host_is_new', value: 0.1 },
        ],
      },
      limits: [],
      errors: [],
      matched: ['all'],
      policyVersion: expect.stringMatching(/^[0-9a-f]{64}$/),
      micros: expect.any(Number),
      summary: expect.stringContaining('allow: a rule allows this call. Told is all.'),
      action: 'things.write',
      credential: { type: 'bearer', secret: 'token' },
    });
    expect(descriptor).toMatchObject({
      v: 1,
      kind: 'http',
      tenant: 'default',
      agent: 'coder',
      integration: 'api',
      method: 'POST',
      url: `http://upstream.test:${upstream.port}/v1/things/1`,
      headers: [
        ['content-type', 'application/json'],
        ['x-a', '1'],
      ],
      body: `sha-256:${createHash('sha256').update('{"a":1}').digest('hex')}`,
      credential: 'token',
    });
    expect(fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(trace).toContainEqual(expect.objectContaining({ rule: 'all', matched: true }));
    expect(answer.text).not.toContain(SECRET);
    await gateway.journal.flush();
    expect(await gateway.repositories.audit.size(TENANT)).toBe(size);
    expect(upstream.requests).toEqual([]);
    // The promise of a secret that is not held: explain has not asked for it.
    expect(gateway.secrets.get({ tenant: TENANT, name: 'token@1' })).toBeInstanceOf(Promise);
  });

  test('tells of a denial with its rule', async () => {
    const answer = await explain({ path: '/admin/users' });
    expect(answer.status).toBe(200);
    expect(answer.json()).toMatchObject({ decision: 'deny', rule: 'no-admin', hard: true, action: null });
  });

  test('needs a key of its scope, as execute needs one of its own', async () => {
    const callKey = await gateway.issueKey(['call']);
    const explainKey = await gateway.issueKey(['explain']);
    const document = { integration: 'api', request: { method: 'GET', path: '/x' } };
    const { port } = gateway;
    expect((await postJson({ port, key: callKey.key }, '/v1/explain', document)).problem().code).toBe('forbidden');
    expect((await postJson({ port, key: explainKey.key }, '/v1/explain', document)).status).toBe(200);
    expect((await postJson({ port, key: explainKey.key }, '/v1/execute', document)).problem().code).toBe('forbidden');
    expect((await postJson({ port, key: callKey.key }, '/v1/execute', document)).status).toBe(200);
  });
});
