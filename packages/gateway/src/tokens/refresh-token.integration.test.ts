import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { call } from '../client.fixture.ts';
import { TENANT } from '../gateway.fixture.ts';
import { formOf, REFRESH, startTokenGround, type TokenGround } from './token-ground.fixture.ts';

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

describe('a refresh token', () => {
  const rotating = () =>
    ground.answerTokens((request) => {
      const used = formOf(request)['refresh_token'];
      return { refresh_token: `refresh-token-${Number(used?.split('-').at(-1)) + 1}` };
    });
  const stored = async () => {
    const found = await ground.gateway.repositories.secrets.getActiveSecretEnvelope(TENANT, 'refresh-token');
    if (found === undefined) throw new Error('no secret');
    const bytes = ground.gateway.vault.open(
      { tenant: TENANT, name: 'refresh-token', version: found.version },
      JSON.parse(found.envelope),
    );
    return { version: found.version, rotatedFrom: found.rotatedFrom, value: Buffer.from(bytes).toString() };
  };

  test('that is not replaced is used again', async () => {
    await ground.start(REFRESH);
    expect(await ground.sent()).toBe('token 1');
    expect(formOf(ground.asked()[0])).toEqual({
      grant_type: 'refresh_token',
      refresh_token: 'refresh-token-0',
      client_id: 'postern',
    });
    ground.pass(3_600_000);
    expect(await ground.sent()).toBe('token 2');
    expect(formOf(ground.asked()[1])['refresh_token']).toBe('refresh-token-0');
    expect(await stored()).toMatchObject({ version: 1 });
  });

  test('that is replaced is stored before its access token is used', async () => {
    rotating();
    await ground.start(REFRESH);
    let atUpstream: object | undefined;
    ground.upstream.answerWith(async (_request, response) => {
      atUpstream ??= await stored();
      response.end();
    });
    await ground.get();
    expect(atUpstream).toEqual({ version: 2, rotatedFrom: 1, value: 'refresh-token-1' });
    for (let i = 0; i < 5; i += 1) await ground.get();
    expect(ground.asked()).toHaveLength(1);
    const written = await ground.gateway.entries({ type: 'secret.written' });
    expect(written).toMatchObject([{ subject: 'secret:refresh-token', reason: 'rotated' }]);
  });

  test('is followed over many rotations, and what nobody can use any more is not kept for ever', async () => {
    rotating();
    await ground.start(REFRESH);
    for (let i = 1; i <= 15; i += 1) {
      expect(await ground.sent()).toBe(`token ${i}`);
      ground.pass(3_600_000);
    }
    expect(ground.asked().map((request) => formOf(request)['refresh_token'])).toEqual(
      Array.from({ length: 15 }, (_, i) => `refresh-token-${i}`),
    );
    expect(await stored()).toEqual({ version: 16, rotatedFrom: 1, value: 'refresh-token-15' });

    const versions = await ground.gateway.repositories.secrets.listSecretEnvelopeVersions(TENANT, 'refresh-token');
    expect(versions.map(({ version }) => version)).toEqual([16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 1]);
  });

  test('that cannot be stored: its access token is not used, and the endpoint is not asked again until it is', async () => {
    rotating();
    let isBroken = true;
    await ground.start(REFRESH, {
      wrapTransaction: (run) => (operation, context) => {
        if (isBroken) return Promise.reject(new Error('disk full'));
        return run(operation, context);
      },
    });
    const before = ground.upstream.requests.length;
    expect((await ground.get()).problem().code).toBe('credential_unavailable');
    expect((await ground.get()).problem().code).toBe('credential_unavailable');
    expect(ground.upstream.requests.length).toBe(before);
    expect(ground.asked()).toHaveLength(1);
    expect(ground.state()).toMatchObject({ status: 'failing', code: 'store_failed' });
    isBroken = false;
    ground.pass(1_000);
    expect(await ground.sent()).toBe('token 1');
    expect(ground.asked()).toHaveLength(1);
    expect(await stored()).toMatchObject({ version: 2, value: 'refresh-token-1' });
  });

  test('that could be stored only when its access token was over is used for the next', async () => {
    rotating();
    let isBroken = true;
    await ground.start(REFRESH, {
      wrapTransaction: (run) => (operation, context) => {
        if (isBroken) return Promise.reject(new Error('disk full'));
        return run(operation, context);
      },
    });
    await ground.get();
    isBroken = false;
    ground.pass(3_600_000);
    expect(await ground.sent()).toBe('token 2');
    expect(ground.asked().map((request) => formOf(request)['refresh_token'])).toEqual([
      'refresh-token-0',
      'refresh-token-1',
    ]);
    expect(await stored()).toMatchObject({ version: 3, value: 'refresh-token-2' });
  });

  test('that cannot be stored at first is stored without anybody asking', async () => {
    rotating();
    let failures = 0;
    await ground.start(REFRESH, {
      wrapTransaction: (run) => (operation, context) => {
        failures += 1;
        return failures === 1 ? Promise.reject(new Error('disk full')) : run(operation, context);
      },
    });
    await ground.get();
    await vi.waitFor(async () => expect(await stored()).toMatchObject({ version: 2, value: 'refresh-token-1' }), 5_000);
    expect(await ground.sent()).toBe('token 1');
    expect(ground.asked()).toHaveLength(1);
  });

  test('that cannot be stored at first is stored at the end of the program', async () => {
    rotating();
    let failures = 0;
    await ground.start(REFRESH, {
      wrapTransaction: (run) => (operation, context) => {
        failures += 1;
        return failures === 1 ? Promise.reject(new Error('disk full')) : run(operation, context);
      },
    });
    await ground.get();
    await ground.gateway.gateway.tokens.close();
    expect(await stored()).toMatchObject({ version: 2, value: 'refresh-token-1' });
  });

  test('that somebody has written anew meanwhile is not overwritten, nor is the token of the old one used', async () => {
    rotating();
    await ground.start(REFRESH);
    const before = ground.upstream.requests.length;
    let isFirst = true;
    ground.answerTokens(async () => {
      if (isFirst) {
        isFirst = false;
        await ground.gateway.change((context) =>
          ground.gateway.writeSecret('refresh-token', 'written-by-a-person-0', context),
        );
      }
      return { refresh_token: 'refresh-token-1' };
    });
    expect((await ground.get()).problem().code).toBe('credential_unavailable');
    expect(ground.upstream.requests.length).toBe(before);
    expect(await stored()).toMatchObject({ version: 2, value: 'written-by-a-person-0' });
    rotating();
    await ground.get();
    expect(formOf(ground.asked()[1])['refresh_token']).toBe('written-by-a-person-0');
  });

  test('of two integrations is used by one at a time, each with what the other left', async () => {
    rotating();
    await ground.start(REFRESH, {
      integrations: [ground.integration(REFRESH), ground.integration(REFRESH, { name: 'other' })],
    });
    const texts = await Promise.all([
      ...Array.from({ length: 10 }, ground.sent),
      ...Array.from({ length: 10 }, async () => (await call(ground.gateway, '/to/other/x')).text),
    ]);
    expect(new Set(texts)).toEqual(new Set(['token 1', 'token 2']));
    expect(new Set(texts.slice(0, 10)).size).toBe(1);
    expect(ground.asked().map((request) => formOf(request)['refresh_token'])).toEqual([
      'refresh-token-0',
      'refresh-token-1',
    ]);
  });

  test('is waited for at the end of the program, so that its answer is stored', async () => {
    const release = Promise.withResolvers<void>();
    ground.answerTokens(() => release.promise.then(() => ({ refresh_token: 'refresh-token-1' })));
    await ground.start(REFRESH);
    const pending = ground.get();
    await vi.waitFor(() => expect(ground.asked()).toHaveLength(1));
    let isClosed = false;
    const closing = ground.gateway.gateway.tokens.close().then(() => {
      isClosed = true;
    });
    expect(isClosed).toBe(false);
    release.resolve();
    await closing;
    expect(await stored()).toMatchObject({ version: 2, value: 'refresh-token-1' });
    await pending;
    expect((await ground.get()).status).toBe(200);
  });

  test('goes with the client secret, which has its own name and its own environments', async () => {
    await ground.start({ ...REFRESH, clientSecret: 'client-secret', auth: 'basic' });
    await ground.sent();
    expect(ground.asked()[0]?.headers['authorization']).toBe(
      `Basic ${Buffer.from('postern:secret-of-the-client').toString('base64')}`,
    );
    await ground.gateway.change((context) =>
      ground.gateway.repositories.secrets.updateSecret(TENANT, 'client-secret', { environments: ['prod'] }, context),
    );
    expect((await ground.get()).problem().code).toBe('credential_unavailable');
  });

  test.each(['short', 'with\nbreak-in-it'])(
    'an answer with a refresh token that is none, %j, brings no token',
    async (refreshToken) => {
      ground.answerTokens(() => ({ refresh_token: refreshToken }));
      await ground.start(REFRESH);
      expect((await ground.get()).problem().code).toBe('credential_unavailable');
      expect(ground.state()).toMatchObject({ code: 'answer_invalid' });
    },
  );
});
