import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { startRedisServer } from './redis-server.ts';

/** What the server says to an inline command; rejects when nobody listens. */
async function say(port: number, command: string): Promise<string> {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  socket.write(`${command}\r\n`);
  const [answer] = await once(socket, 'data');
  socket.destroy();
  return String(answer).trim();
}

test('a server is empty at its start, after a flush and after a restart, and gone once closed', async () => {
  const server = await startRedisServer();
  expect(server.url).toBe(`redis://127.0.0.1:${server.port}`);
  for (const empty of [() => server.flush(), () => server.restart()]) {
    expect(await say(server.port, 'DBSIZE')).toBe(':0');
    expect(await say(server.port, 'SET key value')).toBe('+OK');
    expect(await say(server.port, 'DBSIZE')).toBe(':1');
    await empty();
  }
  expect(await say(server.port, 'DBSIZE')).toBe(':0');
  expect(await say(server.port, 'CONFIG GET save')).toBe('*2\r\n$4\r\nsave\r\n$0');
  const { port } = server;
  await server.close();
  await server.close();
  await expect(say(port, 'PING')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test('a server that is killed leaves its port, and starts again there or elsewhere', async () => {
  await using server = await startRedisServer();
  const { port } = server;
  await server.stopHard();
  await expect(say(port, 'PING')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  await server.restart();
  expect([server.port, await say(port, 'PING')]).toEqual([port, '+PONG']);
  await server.restart({ port: 'other' });
  expect(server.port).not.toBe(port);
  expect(await say(server.port, 'PING')).toBe('+PONG');
});

test('a frozen server takes connections and answers once it is thawed', async () => {
  await using server = await startRedisServer();
  server.freeze();
  let isAnswered = false;
  const answer = say(server.port, 'PING').then((text) => {
    isAnswered = true;
    return text;
  });
  const socket = connect(server.port, '127.0.0.1');
  await once(socket, 'connect');
  expect(isAnswered).toBe(false);
  socket.destroy();
  server.thaw();
  expect(await answer).toBe('+PONG');
});

test('a password is asked for', async () => {
  await using server = await startRedisServer({ password: 'p w' });
  expect(server.url).toBe(`redis://:p%20w@127.0.0.1:${server.port}`);
  expect(await say(server.port, 'PING')).toContain('NOAUTH');
  await server.flush();
});
