import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startUpstream, type Upstream, type UpstreamHandler } from '@postern/testing';
import { control } from './audit-log.ts';
import { type RunningGateway, startGateway } from './start-gateway.ts';
import { makeTestDatabase } from './test-database.ts';

/** Given to all nodes: `openssl rand -base64 32` would make such a token. */
const ADMIN_TOKEN = 'a-token-that-all-nodes-of-this-test-share';

export interface NodesOptions {
  /** Of a PostgreSQL's superuser. */
  readonly postgresUrl: string;
  readonly redisUrl?: string | undefined;
  /** `postern.yaml` of all nodes, once the upstream is known. */
  readonly config: (upstream: Upstream) => object;
  readonly handler?: UpstreamHandler;
  /** Where nodes find the database, when that is not where it is. */
  readonly databaseUrl?: (url: string) => string;
  /** The server goes with the test, and the database with it. */
  readonly isOwnServer?: boolean;
}

export interface NodeOptions {
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Starts the program with this file in place of the gateway's own. */
  readonly main?: string;
}

/** Several gateways on one database, one Redis and one upstream. */
export interface NodeGround extends AsyncDisposable {
  readonly upstream: Upstream;
  /** Of the plain role that nodes connect as. */
  readonly databaseUrl: string;
  /** As a role that sees all rows. */
  query(sql: string): Promise<readonly Record<string, unknown>[]>;
  /** Variables of a node with a data folder of that name. */
  environmentOf(name: string): Readonly<Record<string, string | undefined>>;
  /** How many requests the upstream has got at a path. */
  sent(path: string): number;
  /** A gateway with a data folder of its name: the same one whenever it is started again. */
  start(name: string, options?: NodeOptions): Promise<RunningGateway>;
}

export async function prepareNodes(options: NodesOptions): Promise<NodeGround> {
  const folder = await mkdtemp(path.join(tmpdir(), 'postern-nodes-'));
  const database = await makeTestDatabase(options.postgresUrl);
  const counts = new Map<string, number>();
  const { handler = (_request, response) => void response.end('ok') } = options;
  const upstream = await startUpstream({
    handler: (request, response) => {
      counts.set(request.url, (counts.get(request.url) ?? 0) + 1);
      return handler(request, response);
    },
  });
  const databaseUrl = options.databaseUrl?.(database.url) ?? database.url;
  const environmentOf = (name: string) => ({
    POSTERN_DATA_DIR: path.join(folder, name),
    POSTERN_LISTEN: '127.0.0.1:0',
    POSTERN_ADMIN_LISTEN: '127.0.0.1:0',
    POSTERN_CONFIG: '',
    POSTERN_DATABASE_URL: databaseUrl,
    POSTERN_REDIS_URL: options.redisUrl,
    POSTERN_MASTER_KEY: `k1:${Buffer.alloc(32, 7).toString('base64')}`,
    POSTERN_ADMIN_TOKEN: ADMIN_TOKEN,
    POSTERN_LOG_LEVEL: 'warn',
  });
  const running = new Set<RunningGateway>();
  return {
    upstream,
    databaseUrl,
    query: database.query,
    environmentOf,
    sent: (at) => counts.get(at) ?? 0,
    async start(name, { environment, main } = {}) {
      const gateway = await startGateway({
        config: options.config(upstream),
        dataFolder: path.join(folder, name),
        ...(main === undefined ? {} : { main }),
        environment: { ...withoutPlaces(environmentOf(name)), ...environment },
      });
      running.add(gateway);
      return gateway;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...running].map((gateway) => gateway.close()));
      await upstream.close();
      if (options.isOwnServer !== true) await database.drop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** `startGateway` names folder and configuration itself. */
function withoutPlaces({
  POSTERN_DATA_DIR: _folder,
  POSTERN_CONFIG: _config,
  ...rest
}: Record<string, string | undefined>) {
  return rest;
}

/** What a node says of itself and what it leans on. */
export async function readiness(
  gateway: RunningGateway,
): Promise<{ status: number; dependencies: Record<string, string> }> {
  const answer = await control(gateway, 'GET', '/readyz');
  return { status: answer.status, dependencies: answer.json().dependencies };
}
