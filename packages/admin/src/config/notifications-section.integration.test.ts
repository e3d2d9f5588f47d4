import { describe, expect, test } from 'vitest';
import { sharedTestControlPlane, startTestControlPlane, type TestControlPlane } from '../control-plane.fixture.ts';

const SECRET = `whsec_${Buffer.alloc(32, 5).toString('base64')}`;
const HOOK = { url: 'https://hooks.example.com/postern', secret: 'webhook-secret', events: ['approval.created'] };
const OPEN = { ...HOOK, url: 'http://127.0.0.1:9/hook', unsafeAllowAddresses: ['127.0.0.1/32'] };
const SECRETS = { 'webhook-secret': { value: SECRET } };

const apply = (plane: TestControlPlane, document: object, { token = plane.ownerToken, dryRun = false } = {}) =>
  plane.call({ method: 'POST', url: `/v1/apply?dryRun=${dryRun}`, body: { version: 1, ...document }, token });
const put = (plane: TestControlPlane, value: string) =>
  plane.call({ method: 'PUT', url: '/v1/secrets/webhook-secret', body: { value } });
const stored = async (plane: TestControlPlane) =>
  (await plane.repositories.notificationEndpoints.listByTenant('default')).map(({ spec }) => spec);
const issuesOf = ({ body }: Awaited<ReturnType<typeof apply>>) =>
  (body.issues ?? []).map(({ field, message }: { field: string; message: string }) => `${field}: ${message}`);

describe('the section "notifications"', () => {
  test('is tried without a trace, then stored, recorded, and in force when it is applied again', async () => {
    await using plane = await startTestControlPlane();
    const document = { secrets: SECRETS, notifications: [HOOK] };
    const tried = (await apply(plane, document, { dryRun: true })).body;
    expect(tried.changes.at(-1)).toMatchObject({ kind: 'notification', name: HOOK.url, op: 'create' });
    expect(await stored(plane)).toEqual([]);
    const applied = (await apply(plane, document)).body;
    expect(applied).toEqual(tried);
    expect(applied.warnings).toEqual([]);
    expect(await stored(plane)).toEqual([HOOK]);
    expect((await apply(plane, document)).body.changes).toEqual([]);
    const { items } = (await plane.call({ url: '/v1/audit/events?type=admin.created' })).body;
    expect(items).toMatchObject([{ subject: `notification:${HOOK.url}`, credential: 'webhook-secret' }]);
  });

  test('changes, is left alone where it lacks, and takes away what it no longer names', async () => {
    await using plane = await startTestControlPlane();
    await apply(plane, { secrets: SECRETS, notifications: [HOOK, OPEN] });
    const changed = { ...HOOK, events: ['approval.created', 'secret.expiring'] };
    expect((await apply(plane, { notifications: [changed, OPEN] })).body.changes).toEqual([
      {
        kind: 'notification',
        name: HOOK.url,
        op: 'update',
        diff: [{ path: 'events', from: HOOK.events, to: changed.events }],
      },
    ]);
    expect((await apply(plane, { rules: [] })).body.changes).toEqual([]);
    expect((await apply(plane, { notifications: [OPEN] })).body.changes).toEqual([
      { kind: 'notification', name: HOOK.url, op: 'delete', diff: [] },
    ]);
    expect(await stored(plane)).toEqual([OPEN]);
    expect((await apply(plane, { notifications: [] })).body.changes).toHaveLength(1);
    expect(await stored(plane)).toEqual([]);
  });

  test('of which an endpoint goes, goes with what waited for it, and one that is disabled stays so', async () => {
    await using plane = await startTestControlPlane();
    const { outbox, notificationEndpoints } = plane.repositories;
    await apply(plane, { secrets: SECRETS, notifications: [HOOK] });
    const [before] = await notificationEndpoints.listByTenant('default');
    const endpoint = before?.id ?? '';
    await outbox.disableEndpoint('default', endpoint, plane.clock.now);
    await apply(plane, { notifications: [{ ...HOOK, events: ['approval.decided'] }] });
    expect((await plane.call({ url: '/v1/notifications' })).body.items).toMatchObject([
      { id: endpoint, state: 'disabled', events: ['approval.decided'] },
    ]);
    await outbox.enableEndpoint('default', endpoint);
    const message = { tenant: 'default', endpoint, type: 'approval.created', body: '{}' };
    const [waiting] = await outbox.add([message], plane.clock.now);
    await apply(plane, { notifications: [] });
    const { items } = (await plane.call({ url: '/v1/notifications/messages' })).body;
    expect(items).toMatchObject([{ id: waiting?.id, endpoint, state: 'disabled' }]);
    expect(items[0].url).toBeUndefined();
    const replay = await plane.call({ method: 'POST', url: `/v1/notifications/messages/${waiting?.id}/replay` });
    expect(replay.body).toMatchObject({ status: 409, code: 'conflict' });
  });

  test('is exported so that applying it changes nothing, secrets left out', async () => {
    await using plane = await startTestControlPlane();
    await apply(plane, { secrets: SECRETS, notifications: [HOOK, OPEN] });
    const { body, text } = await plane.call({ url: '/v1/export', headers: { accept: 'application/json' } });
    expect(body.notifications).toEqual([OPEN, HOOK]);
    expect(text).not.toContain(SECRET);
    expect((await apply(plane, body)).body.changes).toEqual([]);
  });

  test('is open to administrators of the tenant but for "unsafe…", which they leave as it is', async () => {
    await using plane = await startTestControlPlane();
    const token = await plane.createAdmin('ann', 'admin');
    expect((await apply(plane, { secrets: SECRETS, notifications: [OPEN] }, { token })).status).toBe(403);
    expect((await apply(plane, { secrets: SECRETS, notifications: [HOOK] }, { token })).status).toBe(200);
    await apply(plane, { notifications: [HOOK, OPEN] });
    const decided = { ...OPEN, events: ['approval.decided'] };
    expect((await apply(plane, { notifications: [HOOK, decided] }, { token })).status).toBe(200);
    for (const change of [{ url: 'http://127.0.0.1:10/hook' }, { unsafeAllowAddresses: ['127.0.0.0/8'] }]) {
      const { body } = await apply(plane, { notifications: [{ ...OPEN, ...change }] }, { token });
      expect(body).toMatchObject({ status: 403, code: 'forbidden' });
    }
    expect(await stored(plane)).toEqual([decided, HOOK]);
  });
});

describe('a document with faulty notifications', () => {
  const plane = sharedTestControlPlane();

  test.each([
    ['an unknown event', [{ ...HOOK, events: ['approval.seen'] }], 'notifications[0].events[0]'],
    ['no event', [{ ...HOOK, events: [] }], 'notifications[0].events'],
    ['an event twice', [{ ...HOOK, events: ['approval.created', 'approval.created'] }], 'notifications[0].events'],
    ['no secret', [{ url: HOOK.url, events: HOOK.events }], 'notifications[0]'],
    ['a value in place of a secret’s name', [{ ...HOOK, secret: SECRET }], 'notifications[0].secret'],
    ['another scheme', [{ ...HOOK, url: 'ftp://hooks.example.com/' }], 'notifications[0].url'],
    ['no URL', [{ ...HOOK, url: 'hooks' }], 'notifications[0].url'],
    ['a private address', [{ ...HOOK, url: 'https://10.0.0.1/' }], 'notifications[0].url'],
    [
      'an address beyond the ceiling',
      [{ ...OPEN, unsafeAllowAddresses: ['10.0.0.0/8', '127.0.0.1/32'] }],
      'notifications[0].unsafeAllowAddresses[0]',
    ],
    ['one URL twice', [HOOK, { ...HOOK, url: 'https://HOOKS.example.com/postern' }], 'notifications[1].url'],
    ['a member of another thing', [{ ...HOOK, retries: 3 }], 'notifications[0].retries'],
  ])('with %s is refused, naming the field', async (_what, notifications, field) => {
    const answer = await apply(plane(), { secrets: SECRETS, notifications });
    expect(answer.status).toBe(422);
    expect(issuesOf(answer).join('\n')).toContain(field);
    expect(await stored(plane())).toEqual([]);
  });

  test('may have no more than a hundred', async () => {
    const many = Array.from({ length: 101 }, (_, index) => ({ ...HOOK, url: `https://hooks.example.com/${index}` }));
    expect((await apply(plane(), { notifications: many })).status).toBe(422);
    expect((await apply(plane(), { notifications: many.slice(1) }, { dryRun: true })).status).toBe(200);
  });
});

describe('the secret of an endpoint', () => {
  const faulty = 'hunter2-hunter2-hunter2';
  const message = expect.stringContaining('A webhook secret must be "whsec_" followed by base64');

  test('that could sign nothing is refused with the document, whichever of both is new', async () => {
    await using plane = await startTestControlPlane();
    const secrets = { 'webhook-secret': { value: faulty } };
    const together = await apply(plane, { secrets, notifications: [HOOK] });
    expect(together.body.issues).toMatchObject([{ field: 'secrets.webhook-secret', message }]);
    expect((await apply(plane, { secrets })).status).toBe(200);
    const after = await apply(plane, { notifications: [HOOK] });
    expect(after.body.issues).toMatchObject([{ field: 'notifications[0].secret', message }]);
    expect(after.text + together.text).not.toContain(faulty);
    await apply(plane, { secrets: SECRETS, notifications: [HOOK] });
    expect((await apply(plane, { secrets })).body.issues).toMatchObject([{ field: 'secrets.webhook-secret', message }]);
  });

  test('that could sign nothing is refused when it is written alone, and when an old version is made active', async () => {
    await using plane = await startTestControlPlane();
    expect((await put(plane, faulty)).status).toBe(201);
    expect((await put(plane, SECRET)).status).toBe(200);
    expect((await apply(plane, { notifications: [HOOK] })).status).toBe(200);
    expect((await put(plane, faulty)).body).toMatchObject({ status: 422, issues: [{ field: 'value', message }] });
    const activate = (version: number) =>
      plane.call({ method: 'POST', url: `/v1/secrets/webhook-secret/versions/${version}/activate` });
    expect((await activate(1)).status).toBe(422);
    expect((await activate(2)).status).toBe(200);
    const other = `whsec_${Buffer.alloc(24, 1).toString('base64')}`;
    expect((await put(plane, other)).status).toBe(200);
    expect((await activate(2)).status).toBe(200);
  });

  test('that is not there yet, or lists environments, is taken with a warning, and so is an event that nothing sends yet', async () => {
    await using plane = await startTestControlPlane();
    const warned = async (document: object) => {
      const { body } = await apply(plane, document);
      return body.warnings.map(({ field }: { field: string }) => field);
    };
    expect(await warned({ notifications: [HOOK] })).toEqual(['notifications[0].secret']);
    const secrets = { 'webhook-secret': { value: SECRET, environments: ['dev'] } };
    expect(await warned({ secrets, notifications: [HOOK] })).toEqual(['notifications[0].secret']);
    const later = { ...HOOK, events: ['edge.offline', 'approval.created', 'audit.spooling'] };
    expect(await warned({ secrets: SECRETS, notifications: [later] })).toEqual([
      'notifications[0].events[0]',
      'notifications[0].events[2]',
    ]);
  });
});
