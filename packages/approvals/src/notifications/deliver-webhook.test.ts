import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { verifyWebhook } from '../webhook/verify-webhook.ts';
import { deliverWebhook, type SendWebhook } from './deliver-webhook.ts';

const secret = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;
const now = 1_700_000_000_000;
const body = '{"type":"approval.created","data":{"note":"é"}}';
const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

/** A receiver on a real socket. */
async function startReceiver(answer: (response: ServerResponse, request: IncomingMessage) => void) {
  const received: { headers: IncomingMessage['headers']; body: Buffer; method: string | undefined }[] = [];
  const server = createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece);
    received.push({ headers: request.headers, body: Buffer.concat(pieces), method: request.method });
    answer(response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(() => resolve()));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, received };
}

const send: SendWebhook = async ({ url, method, headers, body: text, signal }) => {
  const answer = await fetch(url, { method, headers, body: text, signal, redirect: 'manual' });
  const seconds = answer.headers.get('retry-after');
  return { status: answer.status, retryAfterMs: seconds === null ? undefined : Number(seconds) * 1_000 };
};
const deliver = (url: string, options: Partial<Parameters<typeof deliverWebhook>[1]> = {}) =>
  deliverWebhook({ url, id: 'msg_1', body, secret }, { send, now: () => now, ...options });

describe('deliverWebhook', () => {
  test('sends a message that the receiver can verify, with the time of this try', async () => {
    const receiver = await startReceiver((response) => response.writeHead(204).end());
    expect(await deliver(receiver.url)).toEqual({ verdict: 'delivered' });
    const [message] = receiver.received;
    expect(message?.method).toBe('POST');
    expect(message?.headers['content-type']).toBe('application/json');
    expect(message?.body.toString()).toBe(body);
    expect(
      verifyWebhook({ headers: message?.headers ?? {}, body: message?.body ?? '', secrets: secret, now: now / 1_000 }),
    ).toBe(true);
    await deliver(receiver.url, { now: () => now + 300_000 });
    expect(receiver.received.map(({ headers }) => [headers['webhook-id'], headers['webhook-timestamp']])).toEqual([
      ['msg_1', '1700000000'],
      ['msg_1', '1700000300'],
    ]);
  });

  test('follows no redirect', async () => {
    const target = await startReceiver((response) => response.writeHead(200).end());
    const receiver = await startReceiver((response) => response.writeHead(307, { location: target.url }).end());
    expect(await deliver(receiver.url)).toEqual({ verdict: 'retry', error: 'status_307' });
    expect(target.received).toEqual([]);
  });

  test('hears 410 and Retry-After', async () => {
    const gone = await startReceiver((response) => response.writeHead(410).end());
    const busy = await startReceiver((response) => response.writeHead(503, { 'retry-after': '120' }).end());
    expect(await deliver(gone.url)).toEqual({ verdict: 'disable', error: 'status_410' });
    expect(await deliver(busy.url)).toEqual({ verdict: 'retry', error: 'status_503', retryAfterMs: 120_000 });
  });

  test('gives a receiver that never answers up in time, and lets its connection go', async () => {
    let closed: () => void = () => undefined;
    const isClosed = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const receiver = await startReceiver((response) => {
      response.on('close', closed);
    });
    expect(await deliver(receiver.url, { timeoutMs: 50 })).toEqual({ verdict: 'retry', error: 'timeout' });
    await isClosed;
  });

  test('is not held by a receiver whose body never ends', async () => {
    const receiver = await startReceiver((response) => {
      response.writeHead(200);
      response.write('and so on');
    });
    expect(await deliver(receiver.url)).toEqual({ verdict: 'delivered' });
  });

  test('ends in time also when the sender heeds no signal', async () => {
    const deaf: SendWebhook = () => new Promise(() => undefined);
    expect(await deliver('https://a.test/', { send: deaf, timeoutMs: 20 })).toEqual({
      verdict: 'retry',
      error: 'timeout',
    });
  });

  test('tells the code of a failure, never its words', async () => {
    const failing =
      (error: unknown): SendWebhook =>
      () =>
        Promise.reject(error);
    const coded = Object.assign(new Error('connect to 10.0.0.1 refused'), { code: 'address_forbidden' });
    const odd = Object.assign(new Error('x'), { code: 'a body\nof the receiver' });
    expect(await deliver('https://a.test/', { send: failing(coded) })).toEqual({
      verdict: 'retry',
      error: 'address_forbidden',
    });
    expect(await deliver('https://a.test/', { send: failing(odd) })).toEqual({
      verdict: 'retry',
      error: 'send_failed',
    });
    expect(await deliver('https://a.test/', { send: failing('text') })).toEqual({
      verdict: 'retry',
      error: 'send_failed',
    });
    const throwing: SendWebhook = () => {
      throw coded;
    };
    expect(await deliver('https://a.test/', { send: throwing })).toEqual({
      verdict: 'retry',
      error: 'address_forbidden',
    });
  });

  test('sends nothing without a secret that can sign', async () => {
    const receiver = await startReceiver((response) => response.writeHead(204).end());
    const delivery = { url: receiver.url, id: 'msg_1', body, secret: 'hunter2' };
    expect(await deliverWebhook(delivery, { send, now: () => now })).toEqual({
      verdict: 'retry',
      error: 'secret_invalid',
    });
    expect(receiver.received).toEqual([]);
  });
});
