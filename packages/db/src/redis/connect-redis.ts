import { isIP } from 'node:net';
import type { RedisOptions as ClientOptions, Redis } from 'ioredis';
import { DbError } from '../ports/db-error.ts';
import { requireRange } from '../volatile/check-range.ts';
import { requireKeyPrefix } from '../volatile/key-of.ts';
import { openChannels } from './channels.ts';
import type { RedisConnection, RedisState } from './redis-connection.ts';
import { describeFailure, unavailable } from './redis-failure.ts';
import { parseRedisUrl, type RedisAddress } from './redis-url.ts';
import { restoreStrings } from './restore-strings.ts';
import { steadyConnectorOf } from './steady-connector.ts';
import { watchClient } from './watch-client.ts';

export interface RedisOptions {
  /** `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`, `rediss://` for TLS. */
  readonly url: string;
  /** What keys begin with. Default `postern`. */
  readonly prefix?: string;
  /** After which a command fails: 10..10,000, default 500. */
  readonly commandTimeoutMs?: number;
  /** For one try to connect, and for how long `connectRedis` waits: 100..60,000, default 2,000. */
  readonly connectTimeoutMs?: number;
  /** The longest pause between two tries: 50..60,000, default 1,000. */
  readonly reconnectMsMax?: number;
  /** With `rediss:`: PEM of the authority to trust in place of the system's. */
  readonly ca?: string;
  /** From 0 up to 1. */
  readonly random?: () => number;
}

const RECONNECT_MS_FIRST = 50;

/**
 * Connects, and keeps connecting for ever. Resolves when it is ready, or after `connectTimeoutMs` when it is not yet: the caller owns the
 * connection either way, asks `state()`, and closes it. Rejects `invalid` for options that are none.
 */
export async function connectRedis(options: RedisOptions): Promise<RedisConnection> {
  const { prefix = 'postern', commandTimeoutMs = 500, connectTimeoutMs = 2_000, reconnectMsMax = 1_000 } = options;
  requireKeyPrefix(prefix);
  requireRange('commandTimeoutMs', commandTimeoutMs, { min: 10, max: 10_000 });
  requireRange('connectTimeoutMs', connectTimeoutMs, { min: 100, max: 60_000 });
  requireRange('reconnectMsMax', reconnectMsMax, { min: RECONNECT_MS_FIRST, max: 60_000 });
  const address = parseRedisUrl(options.url);
  const clientOptions: ClientOptions = {
    ...addressOptions(address, options.ca),
    commandTimeout: commandTimeoutMs,
    connectTimeout: connectTimeoutMs,
    retryStrategy: (times) => pauseMs(times, reconnectMsMax, options.random ?? Math.random),
  };
  // Loaded here, so that a node without Redis carries nothing of it.
  const { AbstractConnector, Redis } = await import('ioredis');
  restoreStrings();
  const Connector = steadyConnectorOf(AbstractConnector);
  const connection = openConnection(() => new Redis({ ...clientOptions, Connector }), {
    prefix,
    secrets: [address.password],
  });
  await untilReady(connection, connectTimeoutMs);
  return connection;
}

function addressOptions({ isTls, ...address }: RedisAddress, ca: string | undefined): ClientOptions {
  const { host, port, db, username, password } = address;
  return {
    ...{ host, port, db, connectionName: 'postern', disableClientInfo: true },
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(isTls ? { tls: tlsOptions(host, ca) } : {}),
    // Nothing waits for a connection, and nothing is sent again: what failed, its caller judges.
    ...{ enableOfflineQueue: false, autoResendUnfulfilledCommands: false, maxRetriesPerRequest: 0 },
    // Subscriptions are renewed by us, so that who listens is told.
    autoResubscribe: false,
    disconnectTimeout: 100,
    // A primary that has become a replica answers so until it is left.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  };
}

/** An address is no name to ask for (RFC 6066, section 3); the certificate is held against it all the same. */
function tlsOptions(host: string, ca: string | undefined): { servername?: string; ca?: string } {
  return { ...(isIP(host) === 0 ? { servername: host } : {}), ...(ca === undefined ? {} : { ca }) };
}

/** Doubles from 50 ms to the longest; between half of it and all of it, so that nodes do not come together. */
function pauseMs(times: number, most: number, random: () => number): number {
  const whole = Math.min(most, RECONNECT_MS_FIRST * 2 ** Math.min(times - 1, 20));
  return Math.ceil(whole * (0.5 + random() / 2));
}

function openConnection(
  open: () => Redis,
  { prefix, secrets }: { readonly prefix: string; readonly secrets: readonly (string | undefined)[] },
): RedisConnection {
  const client = open();
  const watch = watchClient(client, secrets);
  const channels = openChannels(open, secrets);
  let failedCommands = 0;

  async function command(name: string, ...parameters: readonly (string | number)[]): Promise<unknown> {
    const state = watch.state();
    if (state !== 'ready') {
      failedCommands += 1;
      throw unavailable(`${state}${state === 'closed' ? '' : ` (${watch.lastFailure() ?? 'not connected yet'})`}`);
    }
    try {
      return await client.call(name, parameters as (string | number)[]);
    } catch (error) {
      if (isNoScript(error)) throw error;
      failedCommands += 1;
      watch.noteFailure(error);
      throw unavailable(`${name}: ${describeFailure(error, secrets)}`);
    }
  }

  async function close(): Promise<void> {
    await Promise.all([watch.close(), channels.close()]);
  }

  return {
    prefix,
    state: watch.state,
    lastFailure: watch.lastFailure,
    onState: watch.onState,
    counts: () => ({ failedCommands, connections: watch.connections() }),
    command,
    async run(script, keys, parameters) {
      try {
        return await command('EVALSHA', script.sha, keys.length, ...keys, ...parameters);
      } catch (error) {
        if (!isNoScript(error)) throw error;
        return command('EVAL', script.lua, keys.length, ...keys, ...parameters);
      }
    },
    subscribe: channels.subscribe,
    close,
    [Symbol.asyncDispose]: close,
  };
}

function isNoScript(error: unknown): boolean {
  return !(error instanceof DbError) && error instanceof Error && error.message.startsWith('NOSCRIPT');
}

function untilReady(connection: RedisConnection, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      unwatch();
      resolve();
    };
    const timer = setTimeout(finish, timeoutMs);
    const unwatch = connection.onState((state: RedisState) => {
      if (state === 'ready') finish();
    });
    if (connection.state() === 'ready') finish();
  });
}
