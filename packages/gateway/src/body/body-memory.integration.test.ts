import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type Answer, call, openRaw, postJson } from '../client.fixture.ts';
import { LOOPBACK, startTestGateway, type TestGateway } from '../gateway.fixture.ts';

const MEMORY = 1_000_000;

let upstream: Upstream;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await startUpstream();
  gateway = await startTestGateway({
    integrations: [{ name: 'api', baseUrl: upstream.url, network: LOOPBACK }],
    bodyMemoryBytes: MEMORY,
  });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

const memory = () => gateway.gateway.bodyMemory;

/** Whatever became of the calls, nothing is held for them. */
afterEach(() => vi.waitFor(() => expect(memory().heldBytes).toBe(0)));

/** While calls of somebody else hold all but `left` bytes. */
async function withLeft<T>(left: number, task: () => Promise<T>): Promise<T> {
  expect(memory().take(MEMORY - left)).toBe(true);
  try {
    return await task();
  } finally {
    memory().give(MEMORY - left);
  }
}

const post = (body: string) => call(gateway, '/to/api/x', { method: 'POST', body });
const execute = (request: object) => postJson(gateway, '/v1/execute', { integration: 'api', request });

function expectOverloaded(answer: Answer): void {
  expect(answer.problem()).toMatchObject({ status: 503, code: 'overloaded', retryable: true, retryAfterSeconds: 1 });
  expect(answer.headers['retry-after']).toBe('1');
}

describe('when the memory for bodies is taken', () => {
  test('a call without a body goes on', async () => {
    expect((await withLeft(0, () => call(gateway, '/to/api/x'))).status).toBe(200);
  });

  test.each([1, 1_000, 500_000])('a call with %i bytes is refused, and not sent', async (size) => {
    const before = upstream.requests.length;
    expectOverloaded(await withLeft(0, () => post('a'.repeat(size))));
    expectOverloaded(await withLeft(size - 1, () => post('a'.repeat(size))));
    expect(upstream.requests.length).toBe(before);
    expect((await withLeft(size, () => post('a'.repeat(size)))).json().body).toHaveLength(size);
  });

  test('a body that is spooled anyway goes on', async () => {
    const body = 'a'.repeat(2_000_000);
    expect((await withLeft(0, () => post(body))).status).toBe(200);
  });

  test('execute is refused for its document, for the body in it, and not for nothing', async () => {
    const before = upstream.requests.length;
    const request = { method: 'POST', path: '/x', bodyText: 'a'.repeat(100_000) };
    expectOverloaded(await withLeft(0, () => execute(request)));
    expectOverloaded(await withLeft(99_999, () => execute(request)));
    expect(upstream.requests.length).toBe(before);
    expect((await withLeft(300_000, () => execute(request))).json().status).toBe(200);
  });

  test('an answer that execute cannot collect is 502, with its outcome', async () => {
    upstream.answerWith((_request, response) => void response.end('a'.repeat(200_000)));
    const answer = await withLeft(100_000, () => execute({ method: 'GET', path: '/x' }));
    expect(answer.problem()).toMatchObject({ status: 502, code: 'response_too_large' });
    const entries = await gateway.entries({ requestId: answer.problem().requestId });
    expect(entries.at(-1)).toMatchObject({ type: 'outcome', result: 'failed', code: 'response_too_large' });
    expect((await withLeft(400_000, () => execute({ method: 'GET', path: '/x' }))).json().bodyText).toHaveLength(
      200_000,
    );
  });
});

test('what execute has collected is held until its client has read it', async () => {
  upstream.answerWith((_request, response) => void response.end('a'.repeat(900_000)));
  const body = JSON.stringify({ integration: 'api', request: { method: 'GET', path: '/x' } });
  const ended = gateway.calls.length;
  using connection = await openRaw(gateway.port);
  connection.socket.pause();
  // Enough documents to fill what the kernels take; the last ones wait in the gateway.
  const request = `POST /v1/execute HTTP/1.1\r\nHost: localhost\r\nPostern-Key: ${gateway.key}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  connection.write(request.repeat(20));
  await gateway.waitForCalls(ended + 1);
  let held = -1;
  await vi.waitFor(
    () => {
      const before = held;
      held = gateway.calls.length;
      expect(held).toBe(before);
      expect(memory().heldBytes).toBe(900_000);
    },
    { interval: 100, timeout: 10_000 },
  );
  connection.socket.resume();
  for (let count = 0; count < 20; count += 1) expect((await connection.read()).json().bodyText).toHaveLength(900_000);
});

test('a block of the event loop of 200 ms costs no call', async () => {
  upstream.answerWith(async (request, response) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    response.end(request.url);
  });
  const calls = Array.from({ length: 60 }, (_, index) =>
    call(gateway, `/to/api/${index}`, { method: 'POST', body: 'a'.repeat(5_000) }),
  );
  await new Promise(setImmediate);
  const until = performance.now() + 200;
  while (performance.now() < until);
  const answers = await Promise.all(calls);
  expect(answers.map(({ status, text }) => `${status} ${text}`)).toEqual(
    answers.map((_answer, index) => `200 /${index}`),
  );
});
