import type { ServerResponse } from 'node:http';
import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { control, outcomeOf } from './support/audit-log.ts';
import { type Answer, call } from './support/http-client.ts';
import { configOf, integration, LOOPBACK, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const coder = newAgent('coder');
const headers = { 'postern-key': coder.key };
const ONCE = { retry: { attempts: 1 } };

let upstream: Upstream;
let gateway: RunningGateway;

const fail = (response: ServerResponse) => response.writeHead(503).end();
const succeed = (response: ServerResponse) => response.writeHead(200).end('ok');
const behave = (behaviour: (response: ServerResponse) => unknown) =>
  upstream.answerWith((_request, response) => void behaviour(response));

beforeAll(async () => {
  upstream = await startUpstream();
  const integrations = [
    integration('api', upstream.url, ONCE),
    integration('neighbour', upstream.url, ONCE),
    integration('brief', upstream.url, { ...ONCE, breaker: { failures: 2, openMs: 1_000 } }),
    integration('edited', upstream.url, { ...ONCE, credential: { type: 'bearer', secret: 'first' } }),
    integration('patient', upstream.url, ONCE),
    integration('full', upstream.url, { limits: { concurrency: 4 } }),
  ];
  const secrets = { first: { value: 'secret-number-one' }, second: { value: 'secret-number-two' } };
  gateway = await startGateway({ config: configOf([coder], integrations, { secrets }) });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

beforeEach(() => behave(succeed));

const send = (name: string, method = 'GET') => call(gateway.dataUrl, `/to/${name}/x`, { method, headers });

async function sendTimes(name: string, times: number): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let i = 0; i < times; i++) answers.push(await send(name));
  return answers;
}

async function gauge(metric: string, name: string): Promise<number> {
  const { text } = await call(gateway.adminUrl, '/metrics');
  return Number(new RegExp(`^${metric}\\{integration="${name}"\\} (\\S+)$`, 'm').exec(text)?.[1]);
}

const isOpen = (answer: Answer) => answer.status === 503 && answer.text.includes('circuit_open');

describe('an upstream that has failed five times within ten seconds', () => {
  test('is left alone: calls are refused at once, nothing is sent, and the record says so', async () => {
    expect((await send('api')).status).toBe(200);
    expect(await gauge('postern_upstream_breaker_state', 'api')).toBe(0);
    behave(fail);
    const passed = await sendTimes('api', 5);
    expect(passed.every((answer) => answer.status === 503 && answer.text === '')).toBe(true);
    const { length } = upstream.requests;
    for (const method of ['GET', 'POST']) {
      const answer = await send('api', method);
      expect(answer.problem()).toMatchObject({ status: 503, code: 'circuit_open', retryable: true });
      const seconds = Number(answer.headers['retry-after']);
      expect(seconds).toBeGreaterThan(0);
      expect(seconds).toBeLessThanOrEqual(30);
      expect(answer.problem().retryAfterSeconds).toBe(seconds);
      expect(await outcomeOf(gateway, answer.problem().requestId)).toMatchObject({
        result: 'not_sent',
        code: 'circuit_open',
      });
    }
    expect(upstream.requests).toHaveLength(length);
    expect(await gauge('postern_upstream_breaker_state', 'api')).toBe(2);
    expect((await call(gateway.adminUrl, '/metrics')).text).toMatch(
      /^postern_upstream_errors_total\{class="circuit_open"\} [1-9]/m,
    );
  });

  test('is still called by another integration', async () => {
    expect((await send('neighbour')).status).toBe(200);
  });

  test('is called again by one of 50 calls at once when the time is over, and by all when that went well', async () => {
    behave(fail);
    await sendTimes('brief', 2);
    expect(isOpen(await send('brief'))).toBe(true);
    await vi.waitFor(async () => expect(await gauge('postern_upstream_breaker_state', 'brief')).toBe(1), {
      timeout: 5_000,
    });

    const { length } = upstream.requests;
    const held = Promise.withResolvers<ServerResponse>();
    behave(held.resolve);
    let refused = 0;
    const calls = Array.from({ length: 50 }, async () => {
      const answer = await send('brief');
      refused += isOpen(answer) ? 1 : 0;
      return answer;
    });
    const probe = await held.promise;
    await vi.waitFor(() => expect(refused).toBe(49), { timeout: 5_000 });
    expect(upstream.requests).toHaveLength(length + 1);
    behave(succeed);
    succeed(probe);
    const answers = await Promise.all(calls);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(
      (await Promise.all(Array.from({ length: 50 }, () => send('brief')))).every(({ status }) => status === 200),
    ).toBe(true);
  });

  test('stays alone when the probe fails', async () => {
    behave(fail);
    await sendTimes('brief', 2);
    await vi.waitFor(async () => expect(await gauge('postern_upstream_breaker_state', 'brief')).toBe(1), {
      timeout: 5_000,
    });
    const { length } = upstream.requests;
    expect(isOpen(await send('brief'))).toBe(false);
    expect(isOpen(await send('brief'))).toBe(true);
    expect(upstream.requests).toHaveLength(length + 1);
  });
});

describe('an edit of the integration', () => {
  test('leaves the breaker as it is, unless the upstream or the credential is another', async () => {
    const edit = async (change: object) => {
      const path = '/v1/integrations/edited';
      const response = await control(gateway, 'PATCH', path, { body: change });
      expect(response.status).toBe(200);
    };
    behave(fail);
    await sendTimes('edited', 5);
    expect(isOpen(await send('edited'))).toBe(true);
    behave(succeed);
    await edit({ limits: { concurrency: 8 } });
    expect(isOpen(await send('edited'))).toBe(true);
    await edit({ credential: { type: 'bearer', secret: 'second' } });
    expect((await send('edited')).status).toBe(200);
    behave(fail);
    await sendTimes('edited', 5);
    expect(isOpen(await send('edited'))).toBe(true);
    behave(succeed);
    await edit({ network: { ...LOOPBACK, unsafeAllowAddresses: ['127.0.0.0/8'] } }).catch(() => undefined);
    await edit({ breaker: { failures: 6 } });
    expect((await send('edited')).status).toBe(200);
  });
});

describe('an upstream that says no', () => {
  test.each([400, 401, 404, 429, 500])('with %i is called for ever', async (status) => {
    behave((response) => response.writeHead(status).end());
    const answers = await sendTimes('patient', 12);
    expect(answers.every((answer) => answer.status === status)).toBe(true);
  });
});

describe('the share of an integration’s places', () => {
  test('is told while calls run, and one more than there are is refused', async () => {
    const held: ServerResponse[] = [];
    behave((response) => held.push(response));
    const calls = Array.from({ length: 3 }, () => send('full', 'POST'));
    await vi.waitFor(() => expect(held).toHaveLength(3));
    expect(await gauge('postern_upstream_saturation', 'full')).toBe(0.75);
    calls.push(send('full', 'POST'));
    await vi.waitFor(() => expect(held).toHaveLength(4));
    const refused = await send('full');
    expect(refused.problem()).toMatchObject({ status: 503, code: 'upstream_saturated', retryable: true });
    expect(await outcomeOf(gateway, refused.problem().requestId)).toMatchObject({ result: 'not_sent' });
    for (const response of held) succeed(response);
    await Promise.all(calls);
    expect(await gauge('postern_upstream_saturation', 'full')).toBe(0);
  });
});
