import { writeFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { createCertificateAuthority, type RedisServer, startRedisServer, temporaryFolder } from '@postern/testing';
import { describe, expect, test } from 'vitest';
import { connectRedis } from './connect-redis.ts';
import { createRedisRateLimits } from './rate-limits.ts';
import type { RedisConnection, RedisState } from './redis-connection.ts';
import { startTcpProxy } from './tcp-proxy.fixture.ts';

function untilState(redis: RedisConnection, wanted: RedisState): Promise<void> {
  return new Promise((resolve) => {
    const unwatch = redis.onState((state) => {
      if (state !== wanted) return;
      unwatch();
      resolve();
    });
    if (redis.state() === wanted) {
      unwatch();
      resolve();
    }
  });
}

/** How a command fails, and in how many milliseconds. */
async function failure(redis: RedisConnection): Promise<{ readonly error: unknown; readonly tookMs: number }> {
  const beganMs = performance.now();
  const error = await redis.command('SET', 'key', 'value', 'PX', 1_000).catch((thrown: unknown) => thrown);
  return { error, tookMs: performance.now() - beganMs };
}

/** Runs with a server and a connection of its own. */
async function withRedis(run: (redis: RedisConnection, server: RedisServer) => Promise<void>): Promise<void> {
  await using server = await startRedisServer();
  await using redis = await connectRedis({ url: server.url });
  await run(redis, server);
}

describe('the connection', () => {
  test('is lost with the server and comes back with it, on its port', async () => {
    await withRedis(async (redis, server) => {
      expect(redis.state()).toBe('ready');
      await server.stopHard();
      await untilState(redis, 'connecting');
      const { error, tookMs } = await failure(redis);
      expect(error).toMatchObject({ name: 'DbError', code: 'unavailable' });
      expect(tookMs).toBeLessThan(250);
      expect(redis.lastFailure()).toBeDefined();
      await server.restart();
      await untilState(redis, 'ready');
      expect(await redis.command('SET', 'key', 'value', 'PX', 1_000)).toBe('OK');
      expect(redis.counts()).toEqual({ failedCommands: 1, connections: 2 });
    });
  });

  test('stays lost while the server is on another port, where a new one finds it', async () => {
    await withRedis(async (redis, server) => {
      const { port } = server;
      await server.restart({ port: 'other' });
      await untilState(redis, 'connecting');
      await using elsewhere = await connectRedis({ url: server.url });
      expect(await elsewhere.command('DBSIZE')).toBe(0);
      expect((await failure(redis)).error).toMatchObject({ code: 'unavailable' });
      await server.restart({ port });
      await untilState(redis, 'ready');
      expect(await redis.command('DBSIZE')).toBe(0);
    });
  });

  test('a server that stands still fails the first command in its time and the next at once, and is used again when it goes on', async () => {
    await withRedis(async (redis, server) => {
      server.freeze();
      const first = await failure(redis);
      expect(first.error).toMatchObject({ code: 'unavailable' });
      expect(first.tookMs).toBeLessThan(1_500);
      expect(redis.state()).toBe('unresponsive');
      const second = await failure(redis);
      expect(second.error).toMatchObject({ code: 'unavailable', message: expect.stringContaining('unresponsive') });
      expect(second.tookMs).toBeLessThan(250);
      server.thaw();
      await untilState(redis, 'ready');
      expect(redis.counts().connections).toBe(1);
      expect(await redis.command('PING')).toBe('PONG');
    });
  });

  test('a freeze of five seconds is noticed without a command, and outlived', async () => {
    await withRedis(async (redis, server) => {
      const [beganMs, unresponsive] = [performance.now(), untilState(redis, 'unresponsive')];
      server.freeze();
      await unresponsive;
      expect(performance.now() - beganMs).toBeLessThan(2_500);
      await untilState(redis, 'connecting');
      await new Promise((resolve) => setTimeout(resolve, 5_000 - (performance.now() - beganMs)));
      expect((await failure(redis)).tookMs).toBeLessThan(250);
      server.thaw();
      await untilState(redis, 'ready');
      expect(await redis.command('PING')).toBe('PONG');
    });
  });

  test('a script whose answer is lost fails, and is never sent twice', async () => {
    await using server = await startRedisServer();
    const wire = await startTcpProxy(server.port);
    try {
      await using redis = await connectRedis({ url: `redis://127.0.0.1:${wire.port}` });
      const port = createRedisRateLimits(redis);
      const limits = [{ tenant: 't', rule: 'r', key: 'k', requests: 10, perSeconds: 3_600 }];
      await port.spend(limits, 0);
      wire.cutAtNextAnswer();
      await expect(port.spend(limits, 0)).rejects.toMatchObject({ code: 'unavailable' });
      await untilState(redis, 'ready');
      expect(await port.judge(limits, 0)).toMatchObject([{ remaining: 8 }]);
    } finally {
      await wire.close();
    }
  });

  test('without a server it is there all the same, and tells why it is of no use', async () => {
    await using server = await startRedisServer();
    await server.stopHard();
    await using redis = await connectRedis({ url: server.url, connectTimeoutMs: 200 });
    expect(redis.state()).toBe('connecting');
    expect(redis.lastFailure()).toContain('ECONNREFUSED');
    await server.restart();
    await untilState(redis, 'ready');
  });

  test('once closed it stays closed, frozen server or not, and may be closed twice', async () => {
    await withRedis(async (redis, server) => {
      server.freeze();
      const pending = failure(redis);
      await redis.close();
      await redis.close();
      expect((await pending).error).toMatchObject({ code: 'unavailable' });
      expect(redis.state()).toBe('closed');
      expect((await failure(redis)).error).toMatchObject({ code: 'unavailable', message: 'Redis: closed' });
      expect(redis.subscribe('channel', { onMessage: () => undefined, onGap: () => undefined }).isLive()).toBe(false);
    });
  });
});

describe('secrets', () => {
  const password = 'pass:word/with@signs';

  test('a password is used and stands in no error', async () => {
    await using server = await startRedisServer({ password });
    await using redis = await connectRedis({ url: server.url });
    expect(await redis.command('PING')).toBe('PONG');
    const url = server.url.replace(encodeURIComponent(password), 'another-secret');
    await using refused = await connectRedis({ url, connectTimeoutMs: 200 });
    expect(refused.lastFailure()).toContain('WRONGPASS');
    const { error } = await failure(refused);
    expect(error).toMatchObject({ code: 'unavailable' });
    expect(inspect([error, refused.lastFailure()], { depth: 10 })).not.toContain('another-secret');
    const unknown = await redis.command('NOSUCH', password).catch((thrown: unknown) => thrown);
    expect(inspect(unknown, { depth: 10 })).not.toContain(password);
  });

  test('a URL that is none is refused, and not repeated', async () => {
    for (const url of [
      'http://u:secret@h',
      'redis://',
      'secret',
      'redis://u:secret@h/path',
      'redis://h?password=secret',
      'redis://:%E0%A4%A@h',
      '',
    ]) {
      const error = await connectRedis({ url }).catch((thrown: unknown) => thrown);
      expect([url, error]).toEqual([url, expect.objectContaining({ code: 'invalid' })]);
      expect(inspect(error, { depth: 10 })).not.toContain('u:secret');
    }
  });

  test('ranges and prefixes are refused by name', async () => {
    const url = 'redis://127.0.0.1:1';
    await expect(connectRedis({ url, commandTimeoutMs: 9 })).rejects.toThrow(
      'commandTimeoutMs must be an integer from 10 to 10000',
    );
    await expect(connectRedis({ url, connectTimeoutMs: 60_001 })).rejects.toThrow('connectTimeoutMs');
    await expect(connectRedis({ url, reconnectMsMax: 0 })).rejects.toThrow('reconnectMsMax');
    for (const prefix of ['', 'a b', 'a*', ':a', 'a:'])
      await expect(connectRedis({ url, prefix })).rejects.toThrow('prefix must be');
  });
});

test('rediss: speaks TLS to a server whose authority is trusted, under its name, and to no other', async () => {
  await using folder = await temporaryFolder();
  const authority = await createCertificateAuthority();
  const { key, cert } = await authority.issue(['127.0.0.1']);
  const files = {
    keyFile: `${folder.path}/key.pem`,
    certFile: `${folder.path}/cert.pem`,
    caFile: `${folder.path}/ca.pem`,
  };
  for (const [file, text] of [
    [files.keyFile, key],
    [files.certFile, cert],
    [files.caFile, authority.cert],
  ] as const)
    writeFileSync(file, text);
  await using server = await startRedisServer({ tls: files });
  await using redis = await connectRedis({ url: server.url, ca: authority.cert });
  expect(await redis.command('PING')).toBe('PONG');
  await using stranger = await connectRedis({ url: server.url, connectTimeoutMs: 300 });
  expect(stranger.state()).toBe('connecting');
  expect(stranger.lastFailure()).toMatch(/certificate/);
  const [byName, ca] = [server.url.replace('127.0.0.1', 'localhost'), authority.cert];
  await using misnamed = await connectRedis({ url: byName, ca, connectTimeoutMs: 300 });
  expect(misnamed.state()).toBe('connecting');
  expect(misnamed.lastFailure()).toMatch(/localhost/);
});
