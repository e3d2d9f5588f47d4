import { startUpstream, temporaryFolder, type Upstream } from '@postern/testing';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { auditEvents, control, eventualAuditEvents } from './support/audit-log.ts';
import { type Answer, call } from './support/http-client.ts';
import { postern } from './support/postern.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const coder = newAgent('coder');

let upstream: Upstream;
let receiver: Upstream;
let gateway: RunningGateway;
let paths = 0;

const rules = [
  { id: 'open', effect: 'allow' },
  { id: 'ask', effect: 'require_approval', paths: ['/ask/**'], approval: { pendingSeconds: 900 } },
  { id: 'ask-shortly', effect: 'require_approval', paths: ['/shortly/**'], approval: { pendingSeconds: 1 } },
];
const hook = (url: string, change: object = {}) => ({
  url,
  secret: 'webhook-secret',
  events: ['approval.created', 'approval.decided', 'approval.expired'],
  unsafeAllowAddresses: ['127.0.0.1/32'],
  ...change,
});
const config = (notifications: readonly object[]) =>
  configOf([coder], [integration('api', upstream.url)], {
    rules,
    secrets: { 'webhook-secret': { value: SECRET } },
    notifications,
  });

const askFor = (folder: string, of = gateway): Promise<Answer> => {
  paths += 1;
  return call(of.dataUrl, `/to/api/${folder}/${paths}?amount=4711`, {
    method: 'POST',
    headers: { 'postern-key': coder.key, 'content-type': 'application/json' },
    body: JSON.stringify({ note: 'the-argument-of-the-call' }),
  });
};
const heldId = (answer: Answer): string => {
  const { approval } = answer.problem();
  if (approval === undefined) throw new Error(answer.text);
  return approval.id;
};

interface Told {
  readonly id: string;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What the receiver got, each verified by the library of Standard Webhooks. */
const told = (from: Upstream = receiver, secret = SECRET): readonly Told[] =>
  from.requests.map((request) => {
    const body = Buffer.from(request.body).toString('utf8');
    const document = new Webhook(secret).verify(body, { ...request.headers }) as Omit<Told, 'id'>;
    return { ...document, id: request.headers['webhook-id'] ?? '' };
  });
const toldOf = (approval: string) => told().filter(({ data }) => data['approvalId'] === approval);
const eventually = <T>(look: () => T | Promise<T>) => vi.waitFor(look, { timeout: 10_000, interval: 20 });
const list = async (path: string) => (await control(gateway, 'GET', path)).json().items;
const decide = (id: string, how: 'approve' | 'deny', body: object) =>
  control(gateway, 'POST', `/v1/approvals/${id}/${how}`, { body });

beforeAll(async () => {
  upstream = await startUpstream({ handler: (_request, response) => void response.end('taken') });
  receiver = await startUpstream();
  gateway = await startGateway({
    config: config([hook(`${receiver.url}/hook?token=of-the-receiver`)]),
    environment: { POSTERN_ADMIN_PUBLIC_URL: 'https://postern.example.com' },
  });
});

afterAll(async () => {
  await gateway?.close();
  await receiver?.close();
  await upstream?.close();
});

beforeEach(() => {
  receiver.answerWith((_request, response) => void response.writeHead(204).end());
});

describe('an endpoint', () => {
  test('is told of an approval when it is opened and when it is decided, signed so that an independent library agrees', async () => {
    const held = await askFor('ask');
    expect(held.status).toBe(428);
    const id = heldId(held);
    await eventually(() => expect(toldOf(id)).toHaveLength(1));
    const { status } = await decide(id, 'approve', { note: 'a word between people' });
    expect(status).toBe(200);
    await eventually(() => expect(toldOf(id)).toHaveLength(2));
    const [created, decided] = toldOf(id);
    expect(created).toEqual({
      id: expect.any(String),
      type: 'approval.created',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      data: {
        approvalId: id,
        status: 'pending',
        tenant: 'default',
        agent: 'coder',
        integration: 'api',
        action: null,
        risk: { score: 0.4, labels: [] },
        expiresAt: expect.any(String),
        url: `https://postern.example.com/v1/approvals/${id}`,
      },
    });
    expect(decided).toMatchObject({ type: 'approval.decided', data: { approvalId: id, status: 'approved' } });
    expect(decided?.id).not.toBe(created?.id);
    const [request] = receiver.requests;
    expect(request).toMatchObject({ method: 'POST', url: '/hook?token=of-the-receiver' });
    expect(request?.headers).toMatchObject({ 'content-type': 'application/json', 'user-agent': 'postern' });
    const bodies = receiver.requests.map(({ body }) => Buffer.from(body).toString()).join('\n');
    for (const argument of ['the-argument', '4711', '/ask/', 'between people', coder.key])
      expect(bodies).not.toContain(argument);
  });

  test('is told of a denial, a withdrawal and an end in time, each once', async () => {
    const denied = heldId(await askFor('ask'));
    await decide(denied, 'deny', { reason: 'not today' });
    const withdrawn = heldId(await askFor('ask'));
    await call(gateway.dataUrl, `/v1/approvals/${withdrawn}`, {
      method: 'DELETE',
      headers: { 'postern-key': coder.key },
    });
    const expired = heldId(await askFor('shortly'));
    await eventually(() => expect(toldOf(expired)).toHaveLength(2));
    const news = (id: string) => toldOf(id).map(({ type, data }) => `${type} ${data['status']}`);
    expect(news(denied)).toEqual(['approval.created pending', 'approval.decided denied']);
    expect(news(withdrawn)).toEqual(['approval.created pending', 'approval.decided cancelled']);
    expect(news(expired)).toEqual(['approval.created pending', 'approval.expired expired']);
  });

  test('finds each message in the log, with intent and outcome, and the secret nowhere', async () => {
    const id = heldId(await askFor('ask'));
    await eventually(() => expect(toldOf(id)).toHaveLength(1));
    const subject = `message:${toldOf(id)[0]?.id}`;
    const intent = await eventually(async () => {
      const found = (await auditEvents(gateway, { type: 'intent' })).find((entry) => entry.subject === subject);
      if (found === undefined) throw new Error('no intent yet');
      return found;
    });
    expect(intent).toMatchObject({
      reason: 'notification',
      credential: 'webhook-secret',
      method: 'POST',
      url: `${receiver.url}/hook`,
    });
    const [outcome] = await eventualAuditEvents(gateway, { requestId: intent.requestId ?? '', type: 'outcome' });
    expect(outcome).toMatchObject({ result: 'done', status: 204 });
    const kept = JSON.stringify(await auditEvents(gateway)) + gateway.stderr() + gateway.stdout();
    for (const secret of [SECRET, SECRET.slice(6), 'of-the-receiver']) expect(kept).not.toContain(secret);
  });

  test('that fails gets the same message again, and one that is given by hand once more has the same id', async () => {
    let isFirst = true;
    receiver.answerWith((_request, response) => {
      response.writeHead(isFirst ? 500 : 204).end('an explanation that nobody keeps');
      isFirst = false;
    });
    const id = heldId(await askFor('ask'));
    await eventually(async () => {
      const [message] = await list('/v1/notifications/messages?state=pending');
      expect(message).toMatchObject({ type: 'approval.created', attempts: 1, lastError: 'status_500' });
    });
    expect((await list('/v1/notifications'))[0]).toMatchObject({ state: 'active', lastError: 'status_500' });
    const waiting = (await list('/v1/notifications/messages?state=pending'))[0];
    const early = await control(gateway, 'POST', `/v1/notifications/messages/${waiting.id}/replay`);
    expect(early.problem()).toMatchObject({ status: 409, code: 'conflict' });
    await eventually(() => expect(toldOf(id)).toHaveLength(2));
    await eventually(async () => {
      const message = (await control(gateway, 'GET', `/v1/notifications/messages/${waiting.id}`)).json();
      expect(message).toMatchObject({
        state: 'delivered',
        attempts: 2,
        url: `${receiver.url}/hook?token=of-the-receiver`,
      });
      expect(JSON.parse(message.body)).toMatchObject({ type: 'approval.created', data: { approvalId: id } });
    });
    const replayed = await control(gateway, 'POST', `/v1/notifications/messages/${waiting.id}/replay`);
    expect(replayed.status).toBe(200);
    await eventually(() => expect(toldOf(id)).toHaveLength(3));
    expect(new Set(toldOf(id).map((message) => message.id))).toEqual(new Set([waiting.id]));
    const [entry] = (await auditEvents(gateway, { type: 'admin.updated' })).slice(-1);
    expect(entry).toMatchObject({ subject: `message:${waiting.id}`, actor: 'bootstrap' });
  });

  test('that answers 410 gets nothing more, until a person enables it', async () => {
    receiver.answerWith((_request, response) => void response.writeHead(410).end());
    const id = heldId(await askFor('ask'));
    await eventually(async () => {
      expect((await list('/v1/notifications'))[0]).toMatchObject({
        state: 'disabled',
        disabledAt: expect.any(String),
        lastError: 'status_410',
      });
    });
    receiver.answerWith((_request, response) => void response.writeHead(204).end());
    await decide(id, 'deny', { reason: 'no' });
    const [undelivered] = await list('/v1/notifications/messages?state=disabled');
    expect(undelivered).toMatchObject({ type: 'approval.decided', attempts: 0 });
    const replay = () => control(gateway, 'POST', `/v1/notifications/messages/${undelivered.id}/replay`);
    expect((await replay()).status).toBe(409);
    expect(toldOf(id)).toHaveLength(1);
    const [{ id: endpoint }] = await list('/v1/notifications');
    const enabled = await control(gateway, 'POST', `/v1/notifications/${endpoint}/enable`);
    expect(enabled.json()).toMatchObject({ state: 'active' });
    expect((await replay()).status).toBe(200);
    await eventually(() => expect(toldOf(id)).toHaveLength(2));
    expect(toldOf(id)[1]).toMatchObject({ id: undelivered.id, type: 'approval.decided' });
  });

  test('is seen by those who read, and helped by those who write', async () => {
    const tokenOf = async (role: string) => {
      const made = await control(gateway, 'POST', '/v1/admins', { body: { name: `the-${role}`, role } });
      return made.json().token as string;
    };
    const [auditor, approver] = [await tokenOf('auditor'), await tokenOf('approver')];
    const [{ id }] = await list('/v1/notifications');
    const as = (token: string, method: string, path: string) => control(gateway, method, path, { token });
    expect((await as(auditor, 'GET', '/v1/notifications')).status).toBe(200);
    expect((await as(auditor, 'POST', `/v1/notifications/${id}/enable`)).status).toBe(403);
    expect((await as(approver, 'GET', '/v1/notifications')).status).toBe(403);
    await control(gateway, 'POST', '/v1/tenants', { body: { name: 'other' } });
    const foreign = (method: string, path: string) => control(gateway, method, path, { tenant: 'other' });
    expect((await foreign('GET', '/v1/notifications')).json()).toEqual({ items: [] });
    const [message] = await list('/v1/notifications/messages');
    for (const [method, path] of [
      ['GET', `/v1/notifications/${id}`],
      ['POST', `/v1/notifications/${id}/enable`],
      ['GET', `/v1/notifications/messages/${message.id}`],
      ['POST', `/v1/notifications/messages/${message.id}/replay`],
    ] as const) {
      expect((await foreign(method, path)).status).toBe(404);
    }
  });

  test('is counted, without a name that an agent or a receiver made', async () => {
    const metrics = (await control(gateway, 'GET', '/metrics')).text;
    expect(metrics).toMatch(/^postern_approvals_pending \d+$/m);
    expect(metrics).toMatch(/^postern_outbox_pending 0$/m);
    expect(metrics).toMatch(/^postern_notifications_total\{outcome="delivered"\} \d+$/m);
    expect(metrics).not.toContain('/hook');
  });
});

describe('the command line', () => {
  test('shows endpoints and messages, and helps them', async () => {
    receiver.answerWith((_request, response) => void response.writeHead(410).end());
    await askFor('ask');
    const url = `${receiver.url}/hook?token=of-the-receiver`;
    await eventually(async () => {
      const listed = await postern(gateway, ['notifications', 'list']);
      expect(listed.out).toMatch(/disabled.*status_410/);
    });
    receiver.answerWith((_request, response) => void response.writeHead(204).end());
    const [dead] = (await postern(gateway, ['notifications', 'messages', '--state', 'dead', '--json'])).json().items;
    const early = await postern(gateway, ['notifications', 'replay', dead.id]);
    expect([early.code, early.notes]).toEqual([1, expect.stringContaining('disabled')]);
    expect((await postern(gateway, ['notifications', 'enable', 'https://elsewhere.example.com/'])).code).toBe(1);
    expect((await postern(gateway, ['notifications', 'enable', url])).out).toContain('sent to again');
    expect((await postern(gateway, ['notifications', 'show', url, '--json'])).json()).toMatchObject({
      state: 'active',
    });
    expect((await postern(gateway, ['notifications', 'replay', dead.id])).code).toBe(0);
    await eventually(() => expect(told().filter(({ id }) => id === dead.id)).toHaveLength(2));
  });
});

describe('a refresh token that is dead', () => {
  test('is told of once, to those who want to know', async () => {
    await using tokens = await startUpstream({
      handler: (_request, response) =>
        void response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":"invalid_grant"}'),
    });
    await using interested = await startUpstream({ handler: (_request, response) => void response.end() });
    await using folder = await temporaryFolder();
    const credential = {
      type: 'oauth2_refresh',
      tokenUrl: `${tokens.url}/token`,
      clientId: 'c',
      secret: 'refresh-token',
    };
    const options = {
      dataFolder: `${folder.path}/data`,
      config: configOf([coder], [integration('api', upstream.url, { credential })], {
        secrets: { 'webhook-secret': { value: SECRET }, 'refresh-token': { value: 'a-dead-refresh-token' } },
        notifications: [
          hook(`${interested.url}/a`, { events: ['secret.expiring'] }),
          hook(`${interested.url}/b`, { events: ['approval.created'] }),
        ],
      }),
    };
    const refused = async (of: RunningGateway) => {
      const answer = await call(of.dataUrl, '/to/api/x', { headers: { 'postern-key': coder.key } });
      expect(answer.problem().code).toBe('credential_unavailable');
    };
    const first = await startGateway(options);
    await refused(first);
    await refused(first);
    await eventually(() => expect(interested.requests).toHaveLength(1));
    expect(told(interested)[0]).toMatchObject({
      type: 'secret.expiring',
      data: { tenant: 'default', secret: 'refresh-token', url: `${first.adminUrl}/v1/secrets/refresh-token` },
    });
    expect(Buffer.from(interested.requests[0]?.body ?? []).toString()).not.toContain('a-dead-refresh-token');
    await first.kill('SIGTERM');
    await first.close();
    await using second = await startGateway(options);
    await refused(second);
    const messages = (await control(second, 'GET', '/v1/notifications/messages')).json().items;
    expect(messages).toHaveLength(1);
    expect(tokens.requests).toHaveLength(2);
  });
});

describe('a gateway that is killed', () => {
  let restarted: RunningGateway | undefined;
  afterEach(() => restarted?.close());

  test('delivers after its next start what it had promised, and what was on its way', async () => {
    await using folder = await temporaryFolder();
    await using silent = await startUpstream({ handler: () => new Promise(() => undefined) });
    const dataFolder = `${folder.path}/data`;
    const start = () => startGateway({ config: config([hook(`${silent.url}/hook`)]), dataFolder });
    const first = await start();
    const id = heldId(await askFor('ask', first));
    await silent.waitForRequests(1);
    await first.kill('SIGKILL');
    await first.close();
    silent.answerWith((_request, response) => void response.writeHead(204).end());
    restarted = await start();
    const approve = { body: { reason: 'late' } };
    await control(restarted, 'POST', `/v1/approvals/${id}/deny`, approve);
    await eventually(() => expect(told(silent).map(({ type }) => type)).toContain('approval.decided'));
    const messages = (await control(restarted, 'GET', '/v1/notifications/messages')).json().items;
    // The try that was cut has a lease yet; it is due again when that is over.
    expect(messages.at(-1)).toMatchObject({ type: 'approval.created', state: 'pending', attempts: 1 });
  });

  test.each([1, 5, 10])(
    'at the %i. of many held calls has a message for each that is held, and for no other',
    async (count) => {
      await using folder = await temporaryFolder();
      await using silent = await startUpstream({ handler: () => new Promise(() => undefined) });
      const dataFolder = `${folder.path}/data`;
      const start = () => startGateway({ config: config([hook(`${silent.url}/hook`)]), dataFolder });
      const first = await start();
      let answered = 0;
      const enough = Promise.withResolvers<void>();
      const calls = Array.from({ length: 15 }, async () => {
        await askFor('ask', first);
        answered += 1;
        if (answered === count) enough.resolve();
      });
      const ends = Promise.allSettled(calls);
      await enough.promise;
      await first.kill('SIGKILL');
      await ends;
      await first.close();
      restarted = await start();
      const of = restarted;
      const items = async (path: string) => (await control(of, 'GET', `${path}?limit=100`)).json().items;
      const held = (await items('/v1/approvals')).map(({ id }: { id: string }) => id).sort();
      const messages = await Promise.all(
        (await items('/v1/notifications/messages')).map(({ id }: { id: string }) =>
          control(of, 'GET', `/v1/notifications/messages/${id}`),
        ),
      );
      expect(held.length).toBeGreaterThanOrEqual(count);
      expect(messages.map((message) => JSON.parse(message.json().body).data.approvalId).sort()).toEqual(held);
    },
  );

  test('ends in time by SIGTERM though a receiver hangs, and the message is due at once', async () => {
    await using folder = await temporaryFolder();
    await using silent = await startUpstream({ handler: () => new Promise(() => undefined) });
    const dataFolder = `${folder.path}/data`;
    const start = () => startGateway({ config: config([hook(`${silent.url}/hook`)]), dataFolder });
    const first = await start();
    await askFor('ask', first);
    await silent.waitForRequests(1);
    const begun = performance.now();
    expect(await first.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(performance.now() - begun).toBeLessThan(8_000);
    await first.close();
    silent.answerWith((_request, response) => void response.writeHead(204).end());
    restarted = await start();
    await eventually(() => expect(told(silent)).toHaveLength(2));
    const [before, after] = told(silent);
    expect(after?.id).toBe(before?.id);
  });
});
