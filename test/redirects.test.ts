import type { ServerResponse } from 'node:http';
import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { outcomeOf } from './support/audit-log.ts';
import { call } from './support/http-client.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const coder = newAgent('coder');

/** What the upstream answers. */
let answerWith: (response: ServerResponse) => void = (response) => void response.end();
let upstream: Upstream;
let gateway: RunningGateway;

beforeAll(async () => {
  upstream = await startUpstream({ handler: (_request, response) => answerWith(response) });
  gateway = await startGateway({ config: configOf([coder], [integration('api', `${upstream.url}/v1`)]) });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

const get = (name: string) => call(gateway.dataUrl, `/to/${name}/x`, { headers: { 'postern-key': coder.key } });

describe('redirects', () => {
  const redirect = (status: number, location?: string) => {
    answerWith = (response) => void response.writeHead(status, location === undefined ? {} : { location }).end();
  };
  const prefix = () => `${gateway.dataUrl}/to/api`;

  test.each([
    ['/v1/next?page=2#here', '/next?page=2#here'],
    ['next', '/next'],
    ['?page=2', '/x?page=2'],
    ['/v1', ''],
    ['/v1/', '/'],
    ['../v1/a', '/a'],
    ['BASE/v1/next', '/next'],
    ['//HOST/v1/next', '/next'],
  ])('a Location of %s leads into the gateway', async (location, rewritten) => {
    const { host } = new URL(upstream.url);
    for (const status of [301, 302, 303, 307, 308]) {
      redirect(status, location.replace('BASE', upstream.url).replace('HOST', host));
      const answer = await get('api');
      expect(answer.status).toBe(status);
      expect(answer.headers['location']).toBe(prefix() + rewritten);
    }
  });

  test.each([
    '/',
    '/v1evil',
    '/v1/../x',
    '/v1/%2e%2e/x',
    '/v1/..%2fx',
    '/v1%2fx',
    '..',
    'http://evil.test/v1/x',
    '//evil.test/v1/x',
    'https://HOST/v1/x',
    'http://127.0.0.1/v1/x',
    'http://localhost:PORT/v1/x',
    'http://user@HOST/v1/x',
    '\\\\evil.test\\v1',
    'javascript:alert(1)',
    'file:///etc/passwd',
    '',
  ])('a Location of %s is refused', async (location) => {
    const { host, port } = new URL(upstream.url);
    for (const status of [301, 302, 303, 307, 308]) {
      redirect(status, location.replace('HOST', host).replace('PORT', port));
      const answer = await get('api');
      expect(answer.problem()).toMatchObject({ status: 502, code: 'redirect_refused' });
      expect(answer.headers).not.toHaveProperty('location');
      expect(answer.text).not.toContain('evil.test');
      const outcome = await outcomeOf(gateway, answer.problem().requestId);
      expect(outcome).toMatchObject({ result: 'failed', code: 'redirect_refused' });
    }
  });

  test.each([300, 304])('%i passes', async (status) => {
    redirect(status);
    expect((await get('api')).status).toBe(status);
  });

  test('redirects are never followed', async () => {
    redirect(302, '/v1/next');
    const before = upstream.requests.length;
    await get('api');
    expect(upstream.requests.length).toBe(before + 1);
  });

  test.each(['Link', 'Content-Location', 'Location'])(
    '%s under the base URL leads into the gateway in any answer',
    async (name) => {
      const wrap = (url: string) => (name === 'Link' ? `<${url}>; rel="next"` : url);
      answerWith = (response) => void response.writeHead(201, { [name]: wrap(`${upstream.url}/v1/next?page=2`) }).end();
      expect((await get('api')).headers[name.toLowerCase()]).toBe(wrap(`${prefix()}/next?page=2`));
    },
  );
});
