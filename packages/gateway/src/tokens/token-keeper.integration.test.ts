import { DbError } from '@postern/db/ports';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { call } from '../client.fixture.ts';
import { TENANT } from '../gateway.fixture.ts';
import { CLIENT, formOf, sendJson, startTokenGround, type TokenGround, tokenNumber } from './token-ground.fixture.ts';

let ground: TokenGround;

beforeAll(async () => {
  ground = await startTokenGround();
});

afterEach(async () => {
  await ground?.reset();
});

afterAll(async () => {
  await ground?.[Symbol.asyncDispose]();
});

describe('a token', () => {
  test('is minted once, sent with every call, and asked for with what the configuration says', async () => {
    await ground.start({ ...CLIENT, scope: 'read write', audience: 'https://api' });
    for (let i = 0; i < 3; i += 1) expect(await ground.sent()).toBe('token 1');
    expect(ground.asked()).toHaveLength(1);
    const [request] = ground.asked();
    expect(request).toMatchObject({ method: 'POST', url: '/token' });
    expect(request?.headers).toMatchObject({
      authorization: `Basic ${Buffer.from('postern:secret-of-the-client').toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
      accept: 'application/json',
      host: `localhost:${ground.endpoint.port}`,
    });
    expect(formOf(request)).toEqual({ grant_type: 'client_credentials', scope: 'read write', audience: 'https://api' });
    expect(ground.state()).toEqual({ status: 'ok', at: ground.time.wall });
  });

  test('is asked for with the client in the body where the configuration says so', async () => {
    await ground.start({ ...CLIENT, auth: 'body' });
    expect(await ground.sent()).toBe('token 1');
    expect(ground.asked()[0]?.headers['authorization']).toBeUndefined();
    expect(formOf(ground.asked()[0])).toEqual({
      grant_type: 'client_credentials',
      client_id: 'postern',
      client_secret: 'secret-of-the-client',
    });
  });

  test('is asked for once by 50 calls at a time', async () => {
    const release = Promise.withResolvers<void>();
    ground.answerTokens(() => release.promise.then(() => ({})));
    await ground.start();
    const calls = Array.from({ length: 50 }, ground.sent);
    await vi.waitFor(() => expect(ground.asked()).toHaveLength(1));
    release.resolve();
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['token 1']));
    expect(ground.asked()).toHaveLength(1);
  });

  test('is of one integration and never serves another that is asked for alike', async () => {
    await ground.start(CLIENT, {
      integrations: [ground.integration(CLIENT), ground.integration(CLIENT, { name: 'other' })],
    });
    expect(await ground.sent()).toBe('token 1');
    expect((await call(ground.gateway, '/to/other/x')).text).toBe('token 2');
    expect(await ground.sent()).toBe('token 1');
  });

  test('is recorded: an intent before it is asked for, an outcome after, nothing secret in either', async () => {
    await ground.start();
    await ground.sent();
    const entries = (await ground.gateway.entries()).filter(({ url }) => url?.endsWith('/token'));
    expect(entries).toMatchObject([
      {
        type: 'intent',
        method: 'POST',
        integration: 'api',
        reason: 'credential',
        credential: 'client-secret',
        addresses: ['127.0.0.1'],
      },
      { type: 'outcome', result: 'done', status: 200 },
    ]);
    expect(entries[0]).not.toHaveProperty('agent');
    expect(JSON.stringify(await ground.gateway.entries())).not.toMatch(/access-token-|secret-of-the-client/);
  });

  test('whose request cannot be recorded is not asked for', async () => {
    let intents = 0;
    await ground.start(CLIENT, {
      wrapJournal: (journal) => ({
        ...bound(journal),
        commitIntent: async (draft) => {
          intents += 1;
          if (draft.reason === 'credential') throw new DbError('unavailable', 'gone');
          return journal.commitIntent(draft);
        },
      }),
    });
    expect((await ground.get()).problem()).toMatchObject({ status: 503, code: 'audit_unavailable' });
    expect(intents).toBe(2);
    expect(ground.asked()).toHaveLength(0);
  });
});

describe('its end', () => {
  test('is kept with room to spare, and its renewal begins before it, while the old one serves', async () => {
    await ground.start();
    expect(await ground.sent()).toBe('token 1');
    ground.pass(3_200_000);
    expect(await ground.sent()).toBe('token 1');
    expect(ground.asked()).toHaveLength(1);
    // Due at the latest 150 s before the end, the end being 10 s before what the endpoint said.
    ground.pass(300_000);
    expect(await ground.sent()).toBe('token 1');
    await vi.waitFor(() => expect(ground.asked()).toHaveLength(2));
    await vi.waitFor(async () => expect(await ground.sent()).toBe('token 2'));
    expect(ground.asked()).toHaveLength(2);
  });

  test('one known to be over is never sent, also when the renewal fails', async () => {
    await ground.start();
    await ground.sent();
    ground.endpoint.answerWith((_request, response) => sendJson(response, 500, {}));
    ground.pass(3_589_999);
    expect(await ground.sent()).toBe('token 1');
    ground.pass(1);
    const before = ground.upstream.requests.length;
    expect((await ground.get()).problem()).toMatchObject({ status: 503, code: 'credential_unavailable' });
    expect(ground.upstream.requests.length).toBe(before);
  });

  test.each([
    ['forward', 7_200_000, 2],
    ['back', -7_200_000, 1],
  ])(
    'a clock of the machine that jumps %s costs at most one more request, and no loop',
    async (_way, jump, requests) => {
      await ground.start();
      await ground.sent();
      ground.time.wall += jump;
      for (let i = 0; i < 5; i += 1) expect(await ground.sent()).toBe(`token ${requests}`);
      expect(ground.asked()).toHaveLength(requests);
    },
  );

  test('a clock that jumps back does not lengthen its life', async () => {
    await ground.start();
    await ground.sent();
    ground.time.wall -= 7_200_000;
    ground.time.clock += 3_600_000;
    expect(await ground.sent()).toBe('token 2');
  });

  test.each([7_200_000, -7_200_000])(
    'a clock that jumps by %i ms while it is asked for makes no expired token',
    async (jump) => {
      ground.answerTokens(() => {
        ground.time.wall += jump;
        return {};
      });
      await ground.start();
      expect(await ground.sent()).toBe('token 1');
      expect(await ground.sent()).toBe('token 1');
      expect(ground.asked()).toHaveLength(1);
      ground.answerTokens(() => ({}));
      ground.time.clock += 3_600_000;
      expect(await ground.sent()).toBe('token 2');
    },
  );

  test('an answer that takes longer than the token lives brings none', async () => {
    ground.answerTokens(() => {
      ground.pass(5_000);
      return { expires_in: 5 };
    });
    await ground.start();
    expect((await ground.get()).problem().code).toBe('credential_unavailable');
    expect(ground.state()).toMatchObject({ status: 'failing', code: 'answer_invalid' });
  });
});

describe('an upstream that refuses the token', () => {
  const refuseAll = () => ground.upstream.answerWith((_request, response) => void response.writeHead(401).end());

  test('makes the next call mint anew', async () => {
    await ground.start();
    expect(await ground.sent()).toBe('token 1');
    ground.upstream.answerWith((request, response) => {
      const isOld = request.headers['authorization'] === 'Bearer access-token-1';
      response.writeHead(isOld ? 401 : 200).end(tokenNumber(request));
    });
    expect((await ground.get()).status).toBe(401);
    expect(await ground.sent()).toBe('token 2');
    expect(await ground.sent()).toBe('token 2');
    expect(ground.asked()).toHaveLength(2);
  });

  test('every time does not have tokens minted for every call', async () => {
    refuseAll();
    await ground.start();
    for (let i = 0; i < 10; i += 1) expect((await ground.get()).status).toBe(401);
    expect(ground.asked()).toHaveLength(2);
    ground.pass(2_000);
    for (let i = 0; i < 3; i += 1) await ground.get();
    expect(ground.asked()).toHaveLength(3);
    expect(ground.state()).toMatchObject({ status: 'failing', code: 'token_rejected' });
  });

  test('in a document too', async () => {
    refuseAll();
    await ground.start();
    const body = JSON.stringify({ integration: 'api', request: { method: 'GET', path: '/x' } });
    await call(ground.gateway, '/v1/execute', { body, headers: { 'content-type': 'application/json' } });
    await call(ground.gateway, '/v1/execute', { body, headers: { 'content-type': 'application/json' } });
    expect(ground.asked()).toHaveLength(2);
  });
});

describe('a change of configuration', () => {
  test('a new secret is used from the next call on, the old token is not sent any more', async () => {
    await ground.start();
    await ground.sent();
    await ground.gateway.change((context) =>
      ground.gateway.writeSecret('client-secret', 'another-client-secret', context),
    );
    expect(await ground.sent()).toBe('token 2');
    expect(ground.asked()[1]?.headers['authorization']).toBe(
      `Basic ${Buffer.from('postern:another-client-secret').toString('base64')}`,
    );
  });

  test('one that does not concern it leaves the token alone', async () => {
    await ground.start();
    await ground.sent();
    await ground.gateway.change((context) =>
      ground.gateway.writeSecret('refresh-token', 'another-refresh-token', context),
    );
    expect(await ground.sent()).toBe('token 1');
  });

  test('a secret that is gone stops calls at once, token or not', async () => {
    await ground.start();
    await ground.sent();
    await ground.gateway.change((context) =>
      ground.gateway.repositories.secrets.remove(TENANT, 'client-secret', context),
    );
    expect((await ground.get()).problem().code).toBe('credential_unavailable');
  });

  test('a secret for other environments stops calls that have a token already', async () => {
    await ground.start();
    await ground.sent();
    await ground.gateway.change((context) =>
      ground.gateway.repositories.secrets.updateSecret(TENANT, 'client-secret', { environments: ['prod'] }, context),
    );
    expect((await ground.get()).problem().code).toBe('credential_unavailable');
  });
});

/** Methods of a class bound to their object, so that a spread keeps them. */
function bound<T extends object>(object: T): T {
  return new Proxy(object, {
    get: (target, name) => {
      const value = Reflect.get(target, name) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
    ownKeys: () => ['commitIntent', 'recordOutcome', 'recordRefusal', 'flush', 'lag', 'recover', 'close'],
    getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true }),
  });
}
