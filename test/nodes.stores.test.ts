import { runGateway } from '@postern/app-gateway';
import type { UpstreamHandler } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest';
import { control } from './support/audit-log.ts';
import { type Answer, call } from './support/http-client.ts';
import { type NodeGround, prepareNodes, readiness } from './support/nodes.ts';
import { configOf, integration, LOOPBACK, newAgent } from './support/scenario.ts';
import type { RunningGateway } from './support/start-gateway.ts';

const EVERYWHERE_MS = 2_000;
const coder = newAgent('coder');

/** A token endpoint that takes each refresh token once. */
const tokens = { current: 'refresh-token-0', issued: 0, refused: [] as string[] };
const giveToken: UpstreamHandler = async (request, response) => {
  const given = new URLSearchParams(Buffer.from(request.body).toString()).get('refresh_token') ?? '';
  const isTaken = given === tokens.current;
  if (isTaken) {
    tokens.issued += 1;
    tokens.current = `refresh-token-${tokens.issued}`;
  } else tokens.refused.push(given);
  const members = { access_token: `access-${tokens.issued}`, token_type: 'Bearer', expires_in: 3_600 };
  const answer = isTaken ? { ...members, refresh_token: tokens.current } : { error: 'invalid_grant' };
  response.writeHead(isTaken ? 200 : 400, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
};

let ground: NodeGround;
let one: RunningGateway;
let other: RunningGateway;
beforeAll(async () => {
  ground = await prepareNodes({
    postgresUrl: inject('postgresUrl'),
    redisUrl: inject('redisUrl'),
    handler: async (request, response) => {
      if (request.url === '/token') return giveToken(request, response);
      if (request.url.startsWith('/slow')) await new Promise((resolve) => setTimeout(resolve, 300));
      response.end(`${request.headers['authorization'] ?? 'none'} ${request.url}`.toUpperCase());
    },
    config: ({ url }) =>
      configOf([coder], [integration('api', url), integration('asked', url), integration('paced', url)], {
        rules: [
          { id: 'all', effect: 'allow', integrations: ['api', 'paced'] },
          {
            id: 'asked',
            effect: 'require_approval',
            integrations: ['asked'],
            approval: { approvers: 1, groups: [], pendingSeconds: 60, executeSeconds: 60, grant: 'once' },
          },
          {
            id: 'pace',
            effect: 'rate_limit',
            integrations: ['paced'],
            limit: { requests: 40, perSeconds: 600, per: ['agent'] },
          },
        ],
      }),
  });
  // At once, on a database in which there is nothing.
  [one, other] = await Promise.all([ground.start('one'), ground.start('other')]);
});
afterAll(() => ground?.[Symbol.asyncDispose]());

interface Sending {
  readonly agent?: { readonly key: string };
  readonly idempotencyKey?: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

function send(gateway: RunningGateway, path: string, sending: Sending = {}): Promise<Answer> {
  const { agent = coder, idempotencyKey, body, headers } = sending;
  return call(gateway.dataUrl, path, {
    headers: {
      'postern-key': agent.key,
      ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
      ...headers,
    },
    ...(body === undefined ? {} : { body }),
  });
}

/** Everything that a change has to reach is looked at until it has, and how long that took is judged. */
async function soon(look: () => Promise<void>, withinMs = EVERYWHERE_MS): Promise<void> {
  const beganMs = performance.now();
  await vi.waitFor(look, { timeout: 5 * withinMs, interval: 10 });
  expect(performance.now() - beganMs).toBeLessThan(withinMs);
}

const codeOf = (answer: Answer) => (answer.status < 400 ? `${answer.status}` : answer.problem().code);

describe('what one node changes holds on the other', () => {
  test('an agent with its keys: made here, known there; revoked here, refused there', async () => {
    const made = await control(one, 'POST', '/v1/agents', { body: { name: 'guest' } });
    const issued = await control(one, 'POST', `/v1/agents/${made.json().id}/keys`, { body: {} });
    const { id, key } = issued.json();
    await soon(async () => expect(codeOf(await send(other, '/to/api/x', { agent: { key } }))).toBe('200'));
    expect((await control(other, 'DELETE', `/v1/agents/${made.json().id}/keys/${id}`)).status).toBe(204);
    for (const gateway of [one, other])
      await soon(async () =>
        expect(codeOf(await send(gateway, '/to/api/x', { agent: { key } }))).toBe('unauthenticated'),
      );
  });

  test('policy', async () => {
    const rule = { id: 'closed', effect: 'deny', integrations: ['api'], paths: ['/closed'] };
    expect(codeOf(await send(other, '/to/api/closed'))).toBe('200');
    expect((await control(one, 'POST', '/v1/rules', { body: rule })).status).toBe(201);
    await soon(async () => expect(codeOf(await send(other, '/to/api/closed'))).toBe('denied'));
    expect((await control(other, 'DELETE', '/v1/rules/closed')).status).toBe(204);
    await soon(async () => expect(codeOf(await send(one, '/to/api/closed'))).toBe('200'));
  });

  test('a secret, also one that is removed and made anew under its former version', async () => {
    const keyed = { name: 'keyed', baseUrl: ground.upstream.url, network: LOOPBACK };
    const credential = { type: 'bearer', secret: 'token' };
    const rule = { id: 'keyed', effect: 'allow', integrations: ['keyed'] };
    const apply = async (document: object) => {
      const answer = await control(one, 'POST', '/v1/apply', { body: { version: 1, tenant: 'default', ...document } });
      expect(answer.status, answer.text).toBe(200);
    };
    const sees = async (value: string) => {
      for (const gateway of [one, other])
        await soon(async () => expect((await send(gateway, '/to/keyed/x')).text).toContain(value.toUpperCase()));
    };
    expect((await control(one, 'POST', '/v1/rules', { body: rule })).status).toBe(201);
    await apply({ secrets: { token: { value: 'first-secret-value' } } });
    const made = await control(one, 'POST', '/v1/integrations', { body: { ...keyed, credential } });
    expect(made.status, made.text).toBe(201);
    await sees('first-secret-value');
    expect((await control(other, 'PUT', '/v1/secrets/token', { body: { value: 'second-secret-value' } })).status).toBe(
      200,
    );
    await sees('second-secret-value');
    expect((await control(one, 'DELETE', `/v1/integrations/${made.json().id}`)).status).toBe(204);
    await apply({ secrets: {} });
    await apply({ secrets: { token: { value: 'third-secret-value' } } });
    expect((await control(one, 'POST', '/v1/integrations', { body: { ...keyed, credential } })).status).toBe(201);
    await sees('third-secret-value');
  });

  test('a template', async () => {
    const template = {
      ...{ name: 'acme', version: 1, provider: 'Acme', title: 'Acme', sources: ['https://docs.acme.example'] },
      ...{ baseUrl: 'https://api.acme.example/v1', credential: { type: 'none' } },
      actions: [{ name: 'things.read', methods: ['GET'], paths: ['/v1/things/**'], risk: 'low' }],
    };
    expect((await control(one, 'POST', '/v1/templates', { body: template })).status).toBe(201);
    const acme = { name: 'acme', baseUrl: `${ground.upstream.url}/v1`, template: 'acme@1', network: LOOPBACK };
    expect((await control(other, 'POST', '/v1/integrations', { body: acme })).status).toBe(201);
    const rule = { id: 'acme', effect: 'allow', integrations: ['acme'], actions: ['things.read'] };
    expect((await control(other, 'POST', '/v1/rules', { body: rule })).status).toBe(201);
    await soon(async () => expect(codeOf(await send(one, '/to/acme/things/1'))).toBe('200'));
    expect(codeOf(await send(one, '/to/acme/others/1'))).toBe('denied');
  });

  test('a tenant and what is in it; another’s ids are 404 on every node', async () => {
    expect((await control(one, 'POST', '/v1/tenants', { body: { name: 'beta' } })).status).toBe(201);
    const made = await control(one, 'POST', '/v1/agents', { body: { name: 'theirs' }, tenant: 'beta' });
    const issued = await control(one, 'POST', `/v1/agents/${made.json().id}/keys`, { body: {}, tenant: 'beta' });
    const held = await send(one, '/to/asked/foreign', { body: 'x' });
    const id = held.problem().approval?.id;
    for (const gateway of [one, other]) {
      const { key } = issued.json();
      expect(codeOf(await send(gateway, `/v1/approvals/${id}`, { agent: { key } }))).toBe('unknown_approval');
      for (const path of [`/v1/approvals/${id}`, `/v1/agents/${coder.publicId}`]) {
        const answer = await control(gateway, 'GET', path, { tenant: 'beta' });
        expect([answer.status, path]).toEqual([404, path]);
      }
      expect((await control(gateway, 'GET', `/v1/agents/${made.json().id}`)).status).toBe(404);
    }
  });
});

describe('one key', () => {
  test('with another body is refused on the other node, and with the same is replayed to the byte', async () => {
    const first = await send(one, '/to/api/once', { idempotencyKey: 'once', body: 'same' });
    expect(first.status).toBe(200);
    // The outcome is on its way when the answer is there: until then the call is in flight for all other nodes.
    const replayed = await vi.waitFor(async () => {
      const answer = await send(other, '/to/api/once', { idempotencyKey: 'once', body: 'same' });
      expect(answer.status).not.toBe(409);
      return answer;
    });
    expect([replayed.status, replayed.text]).toEqual([first.status, first.text]);
    const changed = await send(other, '/to/api/once', { idempotencyKey: 'once', body: 'other' });
    expect([changed.status, codeOf(changed)]).toEqual([422, 'idempotency_key_mismatch']);
    expect(ground.sent('/once')).toBe(1);
  });

  test('sent to both nodes at once goes out once', async () => {
    const sending = Array.from({ length: 12 }, (_, place) =>
      send(place % 2 === 0 ? one : other, '/to/api/slow', { idempotencyKey: 'both', body: 'same' }),
    );
    const codes = (await Promise.all(sending)).map(codeOf);
    expect(codes.filter((code) => code === '200').length).toBeGreaterThanOrEqual(1);
    expect(codes.filter((code) => !['200', 'in_flight'].includes(code))).toEqual([]);
    expect(ground.sent('/slow')).toBe(1);
  });
});

/** Holds a call, and tells its approval's id. */
async function hold(gateway: RunningGateway, path: string, body: string): Promise<string> {
  const answer = await send(gateway, `/to/asked${path}`, { body });
  expect(codeOf(answer)).toBe('approval_required');
  return answer.problem().approval?.id ?? '';
}

const approve = async (gateway: RunningGateway, id: string) => {
  const answer = await control(gateway, 'POST', `/v1/approvals/${id}/approve`, { body: {} });
  expect(answer.status, answer.text).toBe(200);
};

describe('an approval', () => {
  test('executed on both nodes at once makes one request', async () => {
    const id = await hold(one, '/executed', 'x');
    await approve(other, id);
    const executing = Array.from({ length: 8 }, (_, place) =>
      call((place % 2 === 0 ? one : other).dataUrl, `/v1/approvals/${id}/execute`, {
        method: 'POST',
        headers: { 'postern-key': coder.key },
      }),
    );
    const answers = await Promise.all(executing);
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(1);
    expect(ground.sent('/executed')).toBe(1);
  });

  test('lets the identical call pass once, on whatever node; the next asks again, and so does a changed body', async () => {
    const id = await hold(one, '/approved', 'exact');
    await approve(one, id);
    expect(codeOf(await send(other, '/to/asked/approved', { body: 'changed' }))).toBe('approval_required');
    expect(codeOf(await send(other, '/to/asked/approved', { body: 'exact' }))).toBe('200');
    expect(codeOf(await send(one, '/to/asked/approved', { body: 'exact' }))).toBe('approval_required');
    expect(ground.sent('/approved')).toBe(1);
  });

  test('that is over is refused by every node, by what it reads', async () => {
    const [pending, approved] = [await hold(one, '/over-1', 'x'), await hold(one, '/over-2', 'x')];
    await approve(other, approved);
    await ground.query(`update approvals set expires_at = 1 where id = '${pending}'`);
    await ground.query(`update approvals set execute_until = 1 where id = '${approved}'`);
    for (const gateway of [other, one]) {
      for (const id of [pending, approved]) {
        const executed = await call(gateway.dataUrl, `/v1/approvals/${id}/execute`, {
          method: 'POST',
          headers: { 'postern-key': coder.key },
        });
        expect([executed.status, codeOf(executed)]).toEqual([410, 'approval_expired']);
      }
    }
    expect(ground.sent('/over-1') + ground.sent('/over-2')).toBe(0);
  });

  test('decided at one node wakes the call that waits at the other', async () => {
    const prefer = { prefer: 'wait=20' };
    const waiting = send(one, '/to/asked/waited', { body: 'x', headers: prefer });
    const id = await vi.waitFor(async () => {
      const { items } = (await control(other, 'GET', '/v1/approvals?status=pending')).json();
      const found = items.find(({ url }: { url: string }) => url.endsWith('/waited'));
      expect(found).toBeDefined();
      return found.id as string;
    });
    await approve(other, id);
    const decidedMs = performance.now();
    expect(codeOf(await waiting)).toBe('200');
    expect(performance.now() - decidedMs).toBeLessThan(250);
  });
});

test('who watches at one node is told what happens at the other', async () => {
  const watching = new AbortController();
  const stream = await fetch(`${one.adminUrl}/v1/events`, {
    headers: { authorization: `Bearer ${one.adminToken}` },
    signal: watching.signal,
  });
  let seen = '';
  const reading = (async () => {
    for await (const chunk of stream.body as unknown as AsyncIterable<Uint8Array>) seen += Buffer.from(chunk);
  })().catch(() => undefined);
  const id = await hold(other, '/watched', 'x');
  await vi.waitFor(() => expect(seen).toContain(id), 2_000);
  expect(seen.split(id)).toHaveLength(2);
  watching.abort();
  await reading;
});

test('a rate limit lets exactly as many pass as it says, over all nodes', async () => {
  const sending = Array.from({ length: 60 }, (_, place) => send(place % 2 === 0 ? one : other, '/to/paced/x'));
  const codes = (await Promise.all(sending)).map(codeOf);
  expect(codes.filter((code) => code === '200')).toHaveLength(40);
  expect(codes.filter((code) => code === 'rate_limited')).toHaveLength(20);
  expect(ground.sent('/x')).toBeGreaterThanOrEqual(40);
});

test('a refresh token that its use replaces is used once, whichever node needs a token', async () => {
  const spec = (firstByteMs: number) => ({
    ...{ name: 'rotating', baseUrl: ground.upstream.url, network: LOOPBACK },
    timeouts: { firstByteMs },
    credential: {
      ...{ type: 'oauth2_refresh', secret: 'refresh', auth: 'body', clientId: 'postern' },
      tokenUrl: `http://127.0.0.1:${ground.upstream.port}/token`,
    },
  });
  expect(
    (await control(one, 'PUT', '/v1/secrets/refresh', { body: { value: 'refresh-token-0' } })).status,
  ).toBeLessThan(300);
  const rule = { id: 'rotating', effect: 'allow', integrations: ['rotating'] };
  expect((await control(one, 'POST', '/v1/rules', { body: rule })).status).toBe(201);
  const made = await control(one, 'POST', '/v1/integrations', { body: spec(9_000) });
  expect(made.status, made.text).toBe(201);
  await soon(async () => expect(codeOf(await send(other, '/to/rotating/x'))).toBe('200'));
  for (const firstByteMs of [9_001, 9_002, 9_003]) {
    // Another definition needs a token of its own, on every node.
    const changed = await control(one, 'PATCH', `/v1/integrations/${made.json().id}`, {
      body: { timeouts: { firstByteMs } },
    });
    expect(changed.status, changed.text).toBe(200);
    const answers = await Promise.all([one, other, one, other].map((gateway) => send(gateway, '/to/rotating/x')));
    expect(answers.map(codeOf)).toEqual(['200', '200', '200', '200']);
  }
  expect(tokens.refused).toEqual([]);
  expect(tokens.issued).toBeGreaterThan(3);
});

test('each node says who is there, and what it leans on', async () => {
  const { items, database } = (await control(other, 'GET', '/v1/nodes')).json();
  expect(items).toHaveLength(2);
  for (const node of items) {
    expect(node).toMatchObject({ isAlive: true, hasRedis: true, keyIds: ['k1'] });
    expect(Math.abs(node.clockAheadMs)).toBeLessThan(1_000);
  }
  expect(database.findings).toEqual([]);
  for (const gateway of [one, other]) {
    expect(await readiness(gateway)).toMatchObject({ status: 200, dependencies: { database: 'ok', redis: 'ok' } });
    const metrics = (await control(gateway, 'GET', '/metrics')).text;
    expect(metrics).toContain('postern_dependency_up{dependency="database"} 1');
    expect(metrics).toContain('postern_dependency_up{dependency="redis"} 1');
  }
});

describe('a node that does not belong to them is refused, and says why without telling secrets', () => {
  const otherKey = `k1:${Buffer.alloc(32, 9).toString('base64')}`;

  test.each<[string, Readonly<Record<string, string | undefined>>, RegExp]>([
    ['another key', { POSTERN_MASTER_KEY: otherKey }, /^POSTERN_MASTER_KEY: is not the key/],
    ['no key', { POSTERN_MASTER_KEY: undefined }, /^POSTERN_MASTER_KEY: is needed/],
    ['another token', { POSTERN_ADMIN_TOKEN: 'b'.repeat(40) }, /^POSTERN_ADMIN_TOKEN: is not the token/],
    ['another password', { POSTERN_DATABASE_URL: 'PASSWORD' }, /^POSTERN_DATABASE_URL: .*password/],
    ['no database', { POSTERN_DATABASE_URL: 'DATABASE' }, /^POSTERN_DATABASE_URL: .*no such database/],
    ['nobody there', { POSTERN_DATABASE_URL: 'PORT' }, /^POSTERN_DATABASE_URL: .*nobody listens/],
  ])('%s', async (_what, change, why) => {
    const urls: Readonly<Record<string, string>> = {
      PASSWORD: ground.databaseUrl.replace(/:[^:@/]+@/, ':hunter2-hunter2@'),
      DATABASE: ground.databaseUrl.replace(/[^/]+$/, 'nowhere'),
      PORT: ground.databaseUrl.replace(/:\d+\//, ':1/'),
    };
    const url = urls[change['POSTERN_DATABASE_URL'] ?? ''];
    const environment = { ...ground.environmentOf('refused'), ...change, ...(url && { POSTERN_DATABASE_URL: url }) };
    const refused = await runGateway({ environment, demo: false }).then(
      () => undefined,
      (error: Error) => error,
    );
    expect(refused?.message).toMatch(why);
    expect(refused?.message).not.toMatch(/hunter2|only-for-tests|CQkJ|BwcH/);
    expect((await control(one, 'GET', '/v1/nodes')).json().items).toHaveLength(2);
  });
});
