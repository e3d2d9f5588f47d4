import type { ServerResponse } from 'node:http';
import { createCertificateAuthority, startUpstream } from '@postern/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { TENANT } from '../gateway.fixture.ts';
import { CLIENT, formOf, sendJson, startTokenGround, type TokenGround } from './token-ground.fixture.ts';

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

describe('an endpoint that lies', () => {
  test.each<[string, unknown]>([
    ['nought', 0],
    ['negative', -3_600],
    ['a fraction', 0.5],
    ['no number', 'soon'],
    ['an object', {}],
  ])('a lifetime that is %s makes no token', async (_what, expiresIn) => {
    ground.answerTokens(() => ({ expires_in: expiresIn }));
    await ground.start();
    const before = ground.upstream.requests.length;
    expect((await ground.get()).problem().code).toBe('credential_unavailable');
    expect(ground.upstream.requests.length).toBe(before);
    expect(ground.state()).toMatchObject({ status: 'failing', code: 'answer_invalid' });
  });

  test.each<[string, unknown, number]>([
    ['missing', undefined, 290_000],
    ['huge', 1e15, 86_390_000],
    ['text', '3600', 3_590_000],
    ['tiny', 1, 900],
  ])('a lifetime that is %s is taken with care', async (_what, expiresIn, servesMs) => {
    ground.answerTokens(() => ({ expires_in: expiresIn }));
    await ground.start();
    await ground.sent();
    ground.pass(servesMs - 1);
    ground.endpoint.answerWith((_request, response) => sendJson(response, 500, {}));
    expect(await ground.sent()).toBe('token 1');
    ground.pass(1);
    expect((await ground.get()).status).toBe(503);
  });

  test.each<[string, (response: ServerResponse) => void, string]>([
    ['no JSON', (response) => void response.writeHead(200).end('<html>token</html>'), 'answer_invalid'],
    ['JSON that is no object', (response) => sendJson(response, 200, ['access-token']), 'answer_invalid'],
    ['no token', (response) => sendJson(response, 200, { expires_in: 60 }), 'answer_invalid'],
    ['a token that is no text', (response) => sendJson(response, 200, { access_token: 12345678 }), 'answer_invalid'],
    ['a token of 7 characters', (response) => sendJson(response, 200, { access_token: '1234567' }), 'answer_invalid'],
    [
      'a token with a line break',
      (response) => sendJson(response, 200, { access_token: 'token\r\nx-evil: 1' }),
      'answer_invalid',
    ],
    [
      'a token of another type',
      (response) => sendJson(response, 200, { access_token: 'token-12345', token_type: 'DPoP' }),
      'answer_invalid',
    ],
    [
      'more than 64 KiB',
      (response) => sendJson(response, 200, { access_token: 'token-12345', pad: 'x'.repeat(65_536) }),
      'answer_invalid',
    ],
    [
      'a stream of events',
      (response) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: x\n\n'),
      'endpoint_unreachable',
    ],
    ['a broken connection', (response) => void response.destroy(), 'endpoint_unreachable'],
    ['status 500', (response) => sendJson(response, 500, { error: 'invalid_grant' }), 'endpoint_failing'],
    ['status 408', (response) => sendJson(response, 408, {}), 'endpoint_failing'],
    ['a passing word', (response) => sendJson(response, 400, { error: 'temporarily_unavailable' }), 'endpoint_failing'],
    ['status 429', (response) => sendJson(response, 429, {}), 'rate_limited'],
    ['a redirect to itself', (response) => void response.writeHead(307, { location: '/token' }).end(), 'redirected'],
    [
      'a redirect elsewhere',
      (response) => void response.writeHead(302, { location: `http://127.0.0.1:${ground.upstream.port}/` }).end(),
      'redirected',
    ],
  ])('%s is no token and may pass', async (_what, answer, code) => {
    ground.endpoint.answerWith((_request, response) => answer(response));
    await ground.start();
    const before = ground.upstream.requests.length;
    expect((await ground.get()).problem()).toMatchObject({ status: 503, code: 'credential_unavailable' });
    expect(ground.upstream.requests.length).toBe(before);
    expect(ground.state()).toEqual({ status: 'failing', code, at: ground.time.wall });
    expect(await ground.metrics()).toContain(`postern_credential_errors_total{class="${code}"} 1`);
    ground.answerTokens(() => ({}));
    expect(await ground.sent()).toBe('token 1');
    expect(ground.state()).toMatchObject({ status: 'ok' });
  });

  test('what it writes into its error reaches neither log nor caller', async () => {
    ground.endpoint.answerWith((_request, response) =>
      sendJson(response, 400, { error: 'invalid_grant', error_description: 'secret-of-the-client was refused' }),
    );
    await ground.start();
    const answer = await ground.get();
    expect(answer.text).not.toMatch(/secret-of|invalid_grant/);
    const [fault] = ground.gateway.faults;
    expect(fault?.doing).toBe(`mint a token for integration api of tenant ${TENANT}`);
    expect(String(fault?.error)).toContain('invalid_grant');
    expect(String(fault?.error)).not.toContain('secret-of-the-client');
  });

  test('one that never answers is given up after 10 s', { timeout: 30_000 }, async () => {
    ground.endpoint.answerWith(() => undefined);
    await ground.start();
    const startedMs = performance.now();
    expect((await ground.get()).problem().code).toBe('credential_unavailable');
    expect(performance.now() - startedMs).toBeGreaterThan(9_900);
    expect(performance.now() - startedMs).toBeLessThan(13_000);
    expect(ground.state()).toMatchObject({ status: 'failing', code: 'endpoint_timeout' });
  });
});

describe('failures in a row', () => {
  test('the first is not waited for, later ones longer and longer, and the caller is told', async () => {
    ground.endpoint.answerWith((_request, response) => sendJson(response, 500, {}));
    await ground.start();
    expect((await ground.get()).headers['retry-after']).toBeUndefined();
    const second = await ground.get();
    expect(second.headers['retry-after']).toBe('1');
    expect(ground.asked()).toHaveLength(2);
    await ground.get();
    expect(ground.asked()).toHaveLength(2);
    ground.pass(1_000);
    await ground.get();
    expect(ground.asked()).toHaveLength(3);
    ground.pass(999);
    await ground.get();
    expect(ground.asked()).toHaveLength(3);
    ground.pass(1_001);
    await ground.get();
    expect(ground.asked()).toHaveLength(4);
  });

  test('an endpoint that says when to come back is left alone until then', async () => {
    ground.endpoint.answerWith((_request, response) => sendJson(response, 429, {}, { 'retry-after': '120' }));
    await ground.start();
    expect((await ground.get()).headers['retry-after']).toBe('120');
    ground.pass(119_999);
    await ground.get();
    expect(ground.asked()).toHaveLength(1);
    ground.pass(1);
    await ground.get();
    expect(ground.asked()).toHaveLength(2);
  });

  test.each([
    [400, 'invalid_grant'],
    [401, 'invalid_client'],
    [400, 'unauthorized_client'],
    [400, 'unsupported_grant_type'],
    [400, 'invalid_scope'],
    [400, 'invalid_request'],
    [403, 'access_denied'],
    [200, 'invalid_grant'],
    [400, 'something_new'],
    [404, undefined],
  ])('status %i with the word %s is remembered until the secret changes', async (status, error) => {
    ground.endpoint.answerWith((_request, response) =>
      sendJson(response, status, error === undefined ? {} : { error }),
    );
    await ground.start();
    for (let i = 0; i < 3; i += 1) {
      expect((await ground.get()).problem().code).toBe('credential_unavailable');
      ground.pass(3_600_000);
    }
    expect(ground.asked()).toHaveLength(1);
    const known = error === undefined || error === 'something_new' ? 'token_refused' : error;
    expect(ground.state()).toMatchObject({ status: 'permanent_failure', code: known });
    ground.answerTokens(() => ({}));
    await ground.gateway.change((context) =>
      ground.gateway.writeSecret('client-secret', 'another-client-secret', context),
    );
    expect(await ground.sent()).toBe('token 1');
    expect(ground.asked()).toHaveLength(2);
    expect(ground.state()).toMatchObject({ status: 'ok' });
  });

  test('or until the integration changes', async () => {
    ground.endpoint.answerWith((_request, response) => sendJson(response, 400, { error: 'invalid_scope' }));
    await ground.start({ ...CLIENT, scope: 'wrong' });
    await ground.get();
    await ground.get();
    expect(ground.asked()).toHaveLength(1);
    ground.answerTokens(() => ({}));
    await ground.changeIntegration({ credential: { scope: 'right' } });
    expect(await ground.sent()).toBe('token 1');
    expect(formOf(ground.asked()[1])['scope']).toBe('right');
  });
});

describe('where tokens are asked for', () => {
  test('a name that leads to a private address is refused though the upstream is permitted', async () => {
    await ground.start(
      { ...CLIENT, tokenUrl: `http://private.test:${ground.endpoint.port}/token` },
      {
        resolve: async (name) => ({ addresses: [name === 'private.test' ? '10.1.2.3' : '127.0.0.1'], ttlSeconds: 60 }),
      },
    );
    expect((await ground.get()).problem().code).toBe('credential_unavailable');
    expect(ground.state()).toMatchObject({ status: 'failing', code: 'address_forbidden' });
    expect(ground.asked()).toHaveLength(0);
  });

  test('a name that has no address is told as that', async () => {
    await ground.start({ ...CLIENT, tokenUrl: `http://nowhere.test:${ground.endpoint.port}/token` });
    expect((await ground.get()).problem().code).toBe('credential_unavailable');
    expect(ground.state()).toMatchObject({ status: 'failing', code: 'resolve_failed' });
  });

  test('the gateway itself is never asked', async () => {
    await ground.start();
    await ground.changeIntegration({ credential: { tokenUrl: `${ground.gateway.url}/token` } });
    expect((await ground.get()).problem().code).toBe('credential_unavailable');
    expect(ground.state()).toMatchObject({ code: 'address_forbidden' });
  });

  test('not over http from an integration that says nothing of that', async () => {
    const authority = createCertificateAuthority();
    await using secure = await startUpstream({ tls: authority.issue(['127.0.0.1']) });
    const network = { unsafeAllowAddresses: ['127.0.0.1/32'] };
    await ground.start(CLIENT, {}, { baseUrl: secure.url, tls: { ca: authority.cert }, network });
    expect((await ground.get()).problem().code).toBe('credential_unavailable');
    expect([ground.asked().length, secure.requests.length]).toEqual([0, 0]);
    expect(ground.state()).toMatchObject({ status: 'permanent_failure', code: 'cleartext_refused' });
    await ground.changeIntegration({ network: { unsafeAllowCleartextCredentials: true } });
    expect((await ground.get()).status).toBe(200);
    expect([ground.asked().length, secure.requests.length]).toEqual([1, 1]);
  });
});
