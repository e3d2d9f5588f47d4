import { expect, test } from 'vitest';
import { startTestControlPlane, type TestControlPlane } from '../control-plane.fixture.ts';

const SCORER = { baseUrl: 'https://api.example.com/v1', model: 'small' };

const apply = (plane: TestControlPlane, document: object, token?: string, dryRun = false) =>
  plane.call({
    method: 'POST',
    url: `/v1/apply?dryRun=${dryRun}`,
    body: { version: 1, ...document },
    ...(token === undefined ? {} : { token }),
  });
const stored = async (plane: TestControlPlane) =>
  (await plane.repositories.policySettings.getPolicySettings('default')).risk;

test('a dry run tells what risk would become and leaves it; applied it is stored, recorded and told to the data plane', async () => {
  await using plane = await startTestControlPlane();
  const document = { risk: { review: 0.2, deny: 0.4 } };
  const change = {
    kind: 'risk',
    name: 'risk',
    op: 'update',
    diff: [
      { path: 'review', from: 0.5, to: 0.2 },
      { path: 'deny', from: 0.9, to: 0.4 },
    ],
  };
  expect((await apply(plane, document, undefined, true)).body.changes).toEqual([change]);
  expect(await stored(plane)).toEqual({ review: 0.5, deny: 0.9, scorer: null });
  expect(plane.changed).toEqual([]);
  expect((await apply(plane, document)).body.changes).toEqual([change]);
  expect(await stored(plane)).toEqual({ review: 0.2, deny: 0.4, scorer: null });
  expect(plane.changed).toEqual(['default']);
  const { items } = (await plane.call({ url: '/v1/audit/events' })).body;
  expect(items.map(({ type, subject }: { type: string; subject: string }) => `${type} ${subject}`)).toEqual([
    'policy.activated policy',
    'admin.applied config',
    'admin.updated risk',
  ]);
  expect((await plane.repositories.directory.load('default'))?.settings.risk.review).toBe(0.2);
});

test('a section sets all of it; without the section it is left alone; the defaults are no change', async () => {
  await using plane = await startTestControlPlane();
  expect((await apply(plane, { risk: {} })).body.changes).toEqual([]);
  await apply(plane, { risk: { review: 0.2, scorer: SCORER } });
  await apply(plane, { rules: [] });
  expect(await stored(plane)).toEqual({ review: 0.2, deny: 0.9, scorer: SCORER });
  await apply(plane, { risk: { deny: 0.7 } });
  expect(await stored(plane)).toEqual({ review: 0.5, deny: 0.7, scorer: null });
});

test('an administrator of a tenant can apply what he exported, scorer and all', async () => {
  await using plane = await startTestControlPlane();
  await apply(plane, { risk: { review: 0.3, scorer: { ...SCORER, unsafeAllowAddresses: ['127.0.0.0/8'] } } });
  const token = await plane.createAdmin('ann', 'admin');
  const { body } = await plane.call({ url: '/v1/export', token, headers: { accept: 'application/json' } });
  expect(body.risk).toMatchObject({ review: 0.3, scorer: SCORER });
  expect((await apply(plane, body, token)).body.changes).toEqual([]);
  const elsewhere = { ...body.risk, scorer: { ...body.risk.scorer, baseUrl: 'https://elsewhere.example/v1' } };
  const refused = await apply(plane, { risk: elsewhere }, token);
  expect(refused.body).toMatchObject({ status: 403, code: 'forbidden' });
  expect((await stored(plane)).scorer?.baseUrl).toBe(SCORER.baseUrl);
});

test('a scorer whose secret is not there is taken with a warning, and no value of it leaves', async () => {
  await using plane = await startTestControlPlane();
  const risk = { scorer: { ...SCORER, secret: 'scorer-key' } };
  const field = 'risk.scorer.secret';
  expect((await apply(plane, { risk })).body.warnings).toEqual([
    { field, message: expect.stringContaining('no secret scorer-key yet'), line: expect.any(Number) },
  ]);
  const secrets = { 'scorer-key': { value: 'a-long-enough-secret' } };
  expect((await apply(plane, { risk, secrets })).body.warnings).toEqual([]);
  const { text } = await plane.call({ url: '/v1/policies/active' });
  expect(text).toContain('scorer-key');
  expect(text).not.toContain('a-long-enough-secret');
});
