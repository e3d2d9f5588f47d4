import type { StubApi } from '@postern/testing';
import { expect } from 'vitest';
import { type ClientGateway, REQUEST_BYTES_MAX } from './client-gateway.ts';

/** Timers may fire a little early. */
const RETRY_AFTER_MS_MIN = 950;

/** The client's own way with 429: it waits for `Retry-After`, which came through, and sends again. `send` must be a POST. */
export async function waitsForRetryAfter(stub: StubApi, send: () => Promise<unknown>): Promise<string> {
  const before = stub.requests.length;
  stub.failNext({ status: 429, headers: { 'retry-after': '1' } });
  await send();
  expect(stub.requests.length - before).toBe(2);
  const [first = 0, second = 0] = stub.arrivals.slice(before);
  expect(second - first).toBeGreaterThanOrEqual(RETRY_AFTER_MS_MIN);
  return 'waits, sends again';
}

/** A POST that fails is sent once: whether it is sent again is the client's to say, and this one does not. */
export async function isSentOnce(stub: StubApi, status: 429 | 503, send: () => Promise<unknown>): Promise<void> {
  const before = stub.requests.length;
  stub.failNext({ status, headers: { 'retry-after': '1' } });
  await send();
  expect(stub.requests.length - before).toBe(1);
}

/** A call that policy denies: `send` must end in the client's own error, after one attempt, and nothing goes out. */
export async function isRefusedOnce(client: ClientGateway, send: () => Promise<unknown>): Promise<string> {
  expect(await client.attemptsOf(send)).toEqual({ atGateway: 1, atStub: 0 });
  return '403, one attempt';
}

/**
 * A body of exactly the limit arrives; one byte more is the client's own error with 413, after one attempt, and the client is good for
 * another call. `send` gives a body that grows by one byte for each byte of padding.
 */
export async function keepsTheLimit(
  client: ClientGateway,
  send: (paddingBytes: number) => Promise<unknown>,
  isTooLarge: (sending: Promise<unknown>) => Promise<unknown>,
): Promise<string> {
  const sizeOfLast = () => client.stub.requests.at(-1)?.body.byteLength ?? 0;
  await send(0);
  const padding = REQUEST_BYTES_MAX - sizeOfLast();
  await send(padding);
  expect(sizeOfLast()).toBe(REQUEST_BYTES_MAX);
  const over = await client.attemptsOf(() => isTooLarge(send(padding + 1)));
  expect(over).toEqual({ atGateway: 1, atStub: 0 });
  await send(1);
  return '413, one attempt';
}

/** 50 calls at once, each with its own answer. */
export async function answersEach(send: (name: string) => Promise<unknown>): Promise<void> {
  const names = Array.from({ length: 50 }, (_, index) => `name-${index}`);
  expect(await Promise.all(names.map(send))).toEqual(names);
}
