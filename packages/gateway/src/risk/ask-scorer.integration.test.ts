import type { RiskScorer } from '@postern/schemas';
import { createCertificateAuthority, startUpstream, type Upstream, type UpstreamHandler } from '@postern/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { startTestGateway, TENANT, type TestGateway } from '../gateway.fixture.ts';
import { Abandoned, askScorer, type ScorerErrand } from './ask-scorer.ts';
import { compileScorer, type ScorerEndpoint, type ScorerOptions } from './scorer-endpoint.ts';
import { ScorerFailure } from './scorer-failure.ts';
import { completion, huge, opinion, silent, startScorer, status } from './scorer-stub.fixture.ts';

let gateway: TestGateway;
let scorer: Upstream;
let askedBefore: number;

beforeAll(async () => {
  gateway = await startTestGateway({ secrets: { 'scorer-key': 'key-of-the-scorer' } });
  scorer = await startScorer();
});

beforeEach(() => {
  askedBefore = scorer.requests.length;
});

afterEach(() => scorer.answerWith(opinion(0.2)));

afterAll(async () => {
  await gateway?.close();
  await scorer?.close();
});

const asked = () => scorer.requests.length - askedBefore;

function endpoint(spec: Partial<RiskScorer> = {}, options: ScorerOptions = {}): ScorerEndpoint {
  const given = {
    baseUrl: `http://localhost:${scorer.port}/v1`,
    model: 'small',
    unsafeAllowAddresses: ['127.0.0.1/32'],
    unsafeAllowCleartextCredentials: true,
    ...spec,
  };
  return compileScorer(TENANT, given, gateway.transport, { totalMs: 2_000, ...options });
}

function ask(to: ScorerEndpoint, changes: Partial<ScorerErrand> = {}, gone = new AbortController().signal) {
  const call = { agent: 'coder', environment: undefined, requestId: 'the-call' };
  return askScorer(
    gateway.gateway,
    { endpoint: to, body: Buffer.from('{}'), secret: undefined, call, ...changes },
    gone,
  );
}

const codeOf = async (asking: Promise<unknown>): Promise<string> => {
  const error = await asking.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  return error instanceof ScorerFailure ? error.code : String(error);
};

/** Entries of questions, the newest call's alone. */
async function entries(): Promise<readonly object[]> {
  const all = await gateway.entries();
  return all.filter(({ url }) => url?.endsWith('/chat/completions') === true);
}

describe('a question', () => {
  test('goes to the chat completions below the base URL, with what HTTP needs and no more', async () => {
    scorer.answerWith(opinion(0.25, ['money']));
    expect(await ask(endpoint())).toEqual({ score: 0.25, labels: ['money'] });
    const request = scorer.requests.at(-1);
    expect(request).toMatchObject({ method: 'POST', url: '/v1/chat/completions' });
    expect(request?.headers).toEqual({
      host: `localhost:${scorer.port}`,
      'content-type': 'application/json',
      accept: 'application/json',
      'accept-encoding': 'identity',
      via: '1.1 postern-test',
      'content-length': '2',
      connection: 'keep-alive',
    });
  });

  test('carries the secret where there is one', async () => {
    const secret = { tenant: TENANT, name: 'scorer-key@1' };
    await ask(endpoint({ secret: 'scorer-key' }), { secret });
    expect(scorer.requests.at(-1)?.headers['authorization']).toBe('Bearer key-of-the-scorer');
    expect(JSON.stringify(await gateway.entries())).not.toContain('key-of-the-scorer');
  });

  test('is not asked without the secret that it should carry', async () => {
    expect(await codeOf(ask(endpoint({ secret: 'scorer-key' })))).toBe('secret_unavailable');
    const absent = { tenant: TENANT, name: 'scorer-key@9' };
    expect(await codeOf(ask(endpoint({ secret: 'scorer-key' }), { secret: absent }))).toBe('secret_unavailable');
    expect(asked()).toBe(0);
    expect((await entries()).at(-1)).toMatchObject({ type: 'outcome', result: 'not_sent', code: 'secret_unavailable' });
  });

  test('is recorded before it goes out and after, with agent and call', async () => {
    await ask(endpoint({ secret: undefined }));
    const [intent, outcome] = (await entries()).slice(-2);
    expect(intent).toMatchObject({
      type: 'intent',
      agent: 'coder',
      method: 'POST',
      url: `http://localhost:${scorer.port}/v1/chat/completions`,
      reason: 'risk',
      subject: 'call:the-call',
      addresses: ['127.0.0.1'],
    });
    expect(outcome).toMatchObject({ type: 'outcome', result: 'done', status: 200 });
  });
});

describe('a failure', () => {
  const cut: UpstreamHandler = (_request, response) => void response.destroy();

  test.each<[string, UpstreamHandler, string, number]>([
    ['garbage', completion('I would say it is harmless.'), 'answer_invalid', 2],
    ['a score of 7', completion('{"score":7}'), 'answer_invalid', 2],
    ['NaN', completion('{"score":NaN}'), 'answer_invalid', 2],
    ['a score as text', completion('{"score":"0"}'), 'answer_invalid', 2],
    ['HTML', (_request, response) => void response.end('<!doctype html>'), 'answer_invalid', 2],
    ['a gigabyte', huge(true), 'answer_invalid', 2],
    ['a gigabyte that is not announced', huge(false), 'answer_invalid', 2],
    [
      'a stream',
      (_, response) => void response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: {}\n\n'),
      'answer_invalid',
      2,
    ],
    ['a break-off', cut, 'scorer_unreachable', 2],
    ['500', status(500), 'scorer_failing', 2],
    ['503', status(503), 'scorer_failing', 2],
    ['429', status(429, { 'retry-after': '1' }), 'rate_limited', 1],
    ['401', status(401), 'scorer_refused', 1],
    ['404', status(404), 'scorer_refused', 1],
    ['a redirect to itself', status(307, { location: '/v1/chat/completions' }), 'redirected', 1],
    ['a redirect elsewhere', status(302, { location: 'http://169.254.169.254/' }), 'redirected', 1],
  ])('%s is one, asked so often as it may help', async (_title, handler, code, times) => {
    scorer.answerWith(handler);
    expect(await codeOf(ask(endpoint()))).toBe(code);
    expect(asked()).toBe(times);
    expect((await entries()).at(-1)).toMatchObject({ type: 'outcome', code });
  });

  test.each<[string, UpstreamHandler]>([
    ['a break-off', cut],
    ['503', status(503)],
    ['garbage', completion('hm')],
  ])('%s is made good by the second attempt', async (_title, handler) => {
    scorer.answerWith((request, response) => {
      scorer.answerWith(opinion(0.4));
      return handler(request, response);
    });
    expect(await ask(endpoint())).toEqual({ score: 0.4, labels: [] });
    expect(asked()).toBe(2);
  });

  test('that nobody is there is told at once', async () => {
    const gone = await startScorer();
    await gone.close();
    expect(await codeOf(ask(endpoint({ baseUrl: gone.url, unsafeAllowAddresses: ['127.0.0.1/32'] })))).toBe(
      'scorer_unreachable',
    );
    expect((await entries()).at(-1)).toMatchObject({ type: 'outcome', result: 'not_sent' });
  });

  test('a certificate that nobody vouches for is one, before anything is sent', async () => {
    const { key, cert } = createCertificateAuthority().issue(['localhost']);
    const secured = await startUpstream({ handler: opinion(0), tls: { key, cert } });
    const to = endpoint({ baseUrl: `https://localhost:${secured.port}/v1` });
    expect(await codeOf(ask(to))).toBe('scorer_unreachable');
    expect(secured.requests).toEqual([]);
    await secured.close();
  });

  test('silence costs the total time and no more, and is asked once', async () => {
    scorer.answerWith(silent);
    const startedMs = performance.now();
    expect(await codeOf(ask(endpoint({}, { totalMs: 150 })))).toBe('scorer_timeout');
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(140);
    expect(performance.now() - startedMs).toBeLessThan(1_500);
    expect(asked()).toBe(1);
    expect((await entries()).at(-1)).toMatchObject({ type: 'outcome', result: 'unknown', code: 'scorer_timeout' });
  });

  test('a scorer that drips its answer has no more time either', async () => {
    scorer.answerWith((_request, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(timer));
    });
    expect(await codeOf(ask(endpoint({}, { totalMs: 150 })))).toBe('scorer_timeout');
  });

  test('both attempts share the total time', async () => {
    scorer.answerWith((request, response) => {
      scorer.answerWith(silent);
      return status(500)(request, response);
    });
    const startedMs = performance.now();
    expect(await codeOf(ask(endpoint({}, { totalMs: 400 })))).toBe('scorer_timeout');
    expect(performance.now() - startedMs).toBeLessThan(1_500);
    expect(asked()).toBe(2);
  });
});

describe('nothing is sent', () => {
  test.each<[string, Partial<RiskScorer>, string]>([
    ['to a private address', { unsafeAllowAddresses: undefined }, 'address_forbidden'],
    ['to an address that others are opened for', { unsafeAllowAddresses: ['10.0.0.0/8'] }, 'address_forbidden'],
    [
      'to a metadata service',
      { baseUrl: 'http://169.254.169.254/v1', unsafeAllowAddresses: ['0.0.0.0/0'] },
      'address_forbidden',
    ],
    ['to a name without an address', { baseUrl: 'https://scorer.invalid/v1' }, 'resolve_failed'],
    ['in clear, unless that is permitted', { unsafeAllowCleartextCredentials: false }, 'cleartext_refused'],
    ['in clear, where nothing is said of it', { unsafeAllowCleartextCredentials: undefined }, 'cleartext_refused'],
  ])('%s', async (_title, spec, code) => {
    expect(await codeOf(ask(endpoint(spec)))).toBe(code);
    expect(asked()).toBe(0);
  });

  test('to the gateway itself', async () => {
    const own = { baseUrl: gateway.url, unsafeAllowAddresses: ['127.0.0.1/32'] };
    expect(await codeOf(ask(endpoint(own)))).toBe('address_forbidden');
  });
});

describe('a client that leaves', () => {
  test('ends the question at once, and its connection', async () => {
    scorer.answerWith(silent);
    const gone = new AbortController();
    const asking = ask(endpoint(), {}, gone.signal);
    await scorer.waitForRequests(askedBefore + 1);
    gone.abort();
    await expect(asking).rejects.toThrow(Abandoned);
    expect((await entries()).at(-1)).toMatchObject({ type: 'outcome', result: 'unknown', code: 'client_gone' });
    await scorer.requests.at(-1)?.ended;
  });

  test('ends the pause before the second attempt', async () => {
    const gone = new AbortController();
    scorer.answerWith((request, response) => {
      response.on('finish', () => gone.abort());
      return status(500)(request, response);
    });
    await expect(ask(endpoint(), {}, gone.signal)).rejects.toThrow(Abandoned);
    expect(asked()).toBe(1);
  });

  test('that has left already has nothing asked', async () => {
    await expect(ask(endpoint(), {}, AbortSignal.abort())).rejects.toThrow(Abandoned);
    expect(asked()).toBe(0);
  });
});

describe('a scorer that is down', () => {
  test('is left alone after three questions, and asked again by one half a minute later', async () => {
    let nowMs = 0;
    const to = endpoint({}, { clock: () => nowMs });
    scorer.answerWith(status(500));
    for (let question = 0; question < 3; question += 1) expect(await codeOf(ask(to))).toBe('scorer_failing');
    expect(asked()).toBe(6);
    expect(await codeOf(ask(to))).toBe('suspended');
    nowMs = 29_999;
    expect(await codeOf(ask(to))).toBe('suspended');
    expect(asked()).toBe(6);
    nowMs = 30_000;
    scorer.answerWith(silent);
    const gone = new AbortController();
    const probe = ask(to, {}, gone.signal);
    expect(await codeOf(ask(to))).toBe('suspended');
    await scorer.waitForRequests(askedBefore + 7);
    gone.abort();
    await expect(probe).rejects.toThrow(Abandoned);
    // A probe that its client left says nothing: the next question takes its place.
    scorer.answerWith(opinion(0.6));
    expect(await ask(to)).toMatchObject({ score: 0.6 });
    expect(await ask(to)).toMatchObject({ score: 0.6 });
  });

  test('is not one that answers what cannot be used: whoever writes the text may have made it so', async () => {
    const to = endpoint();
    scorer.answerWith(completion('As you wish, no JSON.'));
    for (let question = 0; question < 6; question += 1) expect(await codeOf(ask(to))).toBe('answer_invalid');
  });

  test('gets sixteen questions at once; one more fails without being sent', async () => {
    const to = endpoint();
    scorer.answerWith(silent);
    const gone = new AbortController();
    const waiting = Array.from({ length: 16 }, () => ask(to, {}, gone.signal));
    await scorer.waitForRequests(askedBefore + 16);
    expect(await codeOf(ask(to))).toBe('saturated');
    expect(asked()).toBe(16);
    gone.abort();
    await Promise.allSettled(waiting);
    scorer.answerWith(opinion(0.1));
    expect(await ask(to)).toMatchObject({ score: 0.1 });
  });
});
