import type { RateLimitsPort } from '@postern/db/ports';
import { startUpstream, type Upstream } from '@postern/testing';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { call, openRaw } from '../client.fixture.ts';
import type { TestGateway, TestGatewayOptions } from '../gateway.fixture.ts';
import { entriesOf, refusedCall, startOn } from '../refused-call.fixture.ts';

let upstream: Upstream;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await startUpstream({ handler: (_request, response) => void response.end('ok') });
});

afterEach(async () => {
  await gateway?.close();
});

afterAll(async () => {
  await upstream?.close();
});

const PACE = { id: 'pace', effect: 'rate_limit', limit: { requests: 1, perSeconds: 3_600 } } as const;

async function start(options: TestGatewayOptions = {}): Promise<void> {
  gateway = await startOn(upstream.port, { rules: [{}, PACE], ...options });
}

/** As a store that lies elsewhere. */
const elsewhere = (port: RateLimitsPort): RateLimitsPort => ({
  spend: async (...given) => port.spend(...given),
  judge: async (...given) => port.judge(...given),
  giveBack: async (...given) => port.giveBack(...given),
});

describe('stage 7, spend quotas', () => {
  test('waits for a store that lies elsewhere', async () => {
    await start({ wrapRateLimits: elsewhere });
    expect((await call(gateway, '/to/api/x')).status).toBe(200);
    const refused = await refusedCall(gateway, upstream);
    expect(refused.problem()).toMatchObject({ status: 429, code: 'rate_limited', retryable: true });
    expect(await entriesOf(gateway, refused)).toEqual([{ type: 'denied', code: 'rate_limited', status: 429 }]);
  });

  test.each<[string, RateLimitsPort['spend']]>([
    ['fails', () => Promise.reject(new Error('the store is gone'))],
    [
      'throws',
      () => {
        throw new Error('the store is gone');
      },
    ],
    ['answers for fewer limits than it was asked for', () => []],
  ])('sends nothing when the store %s', async (_title, spend) => {
    await start({ wrapRateLimits: (port) => ({ ...elsewhere(port), spend }) });
    const refused = await refusedCall(gateway, upstream);
    expect(refused.problem()).toMatchObject({ status: 500, code: 'internal_error' });
  });

  test('gives a call back that the log could not take', async () => {
    let isDown = true;
    await start({
      wrapJournal: (journal) =>
        Object.assign(Object.create(journal) as typeof journal, {
          commitIntent: (intent: Parameters<typeof journal.commitIntent>[0]) =>
            isDown ? Promise.reject(new Error('down')) : journal.commitIntent(intent),
        }),
    });
    expect((await refusedCall(gateway, upstream)).status).toBe(500);
    isDown = false;
    expect((await call(gateway, '/to/api/x')).status).toBe(200);
    expect((await refusedCall(gateway, upstream)).status).toBe(429);
  });

  test('keeps the call of a client that left after it was sent', async () => {
    await start();
    const begun = upstream.requests.length;
    upstream.answerWith(() => undefined);
    const raw = await openRaw(gateway.port);
    raw.write(`GET /to/api/x HTTP/1.1\r\nHost: ${new URL(gateway.url).host}\r\nPostern-Key: ${gateway.key}\r\n\r\n`);
    await upstream.waitForRequests(begun + 1);
    raw.socket.destroy();
    await gateway.waitForCalls(1);
    upstream.answerWith((_request, response) => void response.end('ok'));
    expect((await refusedCall(gateway, upstream)).status).toBe(429);
  });
});
