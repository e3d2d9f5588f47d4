import { expect, test } from 'vitest';
import { readRequestHead, startRawUpstream } from './raw-upstream.ts';

test('a raw upstream sees the bytes of the head and sends what it is told', async () => {
  await using upstream = await startRawUpstream(async (socket) => {
    const head = await readRequestHead(socket);
    const body = head.split('\r\n')[0] ?? '';
    socket.end(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
  });
  const response = await fetch(`${upstream.url}/x`);
  expect(await response.text()).toBe('GET /x HTTP/1.1');
  expect(upstream.connections).toBe(1);
  expect(new TextDecoder().decode(upstream.received[0])).toContain('GET /x HTTP/1.1\r\n');
});

test('a raw upstream can break off in the middle of a body', async () => {
  await using upstream = await startRawUpstream(async (socket) => {
    await readRequestHead(socket);
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort');
  });
  const response = await fetch(upstream.url);
  await expect(response.text()).rejects.toThrow();
});

test('a raw upstream whose function fails resets the connection', async () => {
  await using upstream = await startRawUpstream(async () => {
    throw new Error('broken on purpose');
  });
  await expect(fetch(upstream.url)).rejects.toThrow();
});
