import type { Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { createCertificateAuthority } from '@postern/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { createControlListener } from './control-listener.ts';

const authority = createCertificateAuthority();
const TLS = authority.issue(['127.0.0.1']);

let server: Server | undefined;
afterEach(() => server?.close());

async function listen(tls: typeof TLS | undefined): Promise<number> {
  server = createControlListener((_request, response) => response.end('served'), { newRequestId: () => 'req_1', tls });
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** All that comes back until the server closes; a reset ends it too. */
function answerTo(socket: Socket, text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('error', () => undefined).on('close', () => resolve(answer));
    socket.write(text);
  });
}

describe.each([
  { over: 'TCP', tls: undefined },
  { over: 'TLS', tls: TLS },
])('over $over', ({ tls }) => {
  const ask = async (text: string) => {
    const port = await listen(tls);
    const socket =
      tls === undefined ? connect(port, '127.0.0.1') : connectTls({ port, host: '127.0.0.1', ca: authority.cert });
    return answerTo(socket, text);
  };

  test('a request is served', async () => {
    expect(await ask('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')).toMatch(/\r\n\r\nserved$/);
  });

  test.each([
    ['GET / HTTP/1.1\r\nbad header\r\n\r\n', '400 Bad Request', 'malformed_request'],
    [
      `GET / HTTP/1.1\r\nHost: localhost\r\nx: ${'x'.repeat(33_000)}\r\n\r\n`,
      '431 Request Header Fields Too Large',
      'headers_too_large',
    ],
  ])('what is no HTTP is told so in a problem document: %.20s', async (text, status, code) => {
    const [head = '', body = ''] = (await ask(text)).split('\r\n\r\n');
    expect(head).toContain(`HTTP/1.1 ${status}\r\n`);
    expect(head).toContain('postern-request-id: req_1');
    expect(JSON.parse(body)).toMatchObject({ code, requestId: 'req_1', status: Number(status.slice(0, 3)) });
  });
});

test('to a client that speaks no TLS nothing is said', async () => {
  const port = await listen(TLS);
  expect(await answerTo(connect(port, '127.0.0.1'), 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')).toBe('');
});
