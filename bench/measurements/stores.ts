import { randomBytes } from 'node:crypto';
import { cpus } from 'node:os';
import { type BenchRun, startBenchRun } from '../bench-run.ts';
import type { LoadReport } from '../load/order.ts';
import { readPeakMemoryMb } from '../measure-process.ts';
import { inRounds } from '../rounds.ts';
import { type Figure, figureOf } from '../statistics.ts';
import { type PosternStores, startPostern, startPosternOnStores, USUAL_SIZE } from '../variants/postern.ts';
import type { PosternSize } from '../variants/postern-config.ts';
import { type StoreServers, startStoreServers } from '../variants/store-servers.ts';
import type { Variant } from '../variants/variant.ts';
import { callsPerSecond, type LoadFigures, loadFigures } from './load-figures.ts';

export interface StoreRow extends LoadFigures {
  readonly peakMemoryMb: number;
}

/** One node on SQLite, the same on PostgreSQL and Redis; without a rate limit, and with one that each call spends. */
export interface Stores {
  readonly sqlite: StoreRow;
  readonly postgres: StoreRow;
  readonly sqliteLimited: StoreRow;
  readonly postgresLimited: StoreRow;
  /** CPU of a call on PostgreSQL and Redis divided by that on SQLite, of each round: what slows a round slows both. */
  readonly cpuRatios: { readonly plain: Figure; readonly limited: Figure };
  /** Calls a second of two nodes on one database divided by those of one; absent on fewer cores than four. */
  readonly twoNodes?: number;
  readonly cores: number;
}

const CONTENDERS = ['sqlite', 'postgres', 'sqliteLimited', 'postgresLimited'] as const;
type ContenderName = (typeof CONTENDERS)[number];
const CORES_FOR_TWO_NODES = 4;

export async function measureStores(run: BenchRun, share: number): Promise<Stores> {
  const { plan, say, surroundings } = run;
  say('starting PostgreSQL, Redis and the programs on them');
  const servers = await startStoreServers(surroundings.workplace);
  const limited: PosternSize = { ...USUAL_SIZE, hasRateLimit: true };
  const variants: Record<ContenderName, Variant> = {
    sqlite: await startPostern(surroundings, USUAL_SIZE, 'stores-sqlite'),
    postgres: await startPosternOnStores(surroundings, USUAL_SIZE, await storesOf(servers, 'stores')),
    sqliteLimited: await startPostern(surroundings, limited, 'stores-sqlite-limited'),
    postgresLimited: await startPosternOnStores(surroundings, limited, await storesOf(servers, 'stores-limited')),
  };
  for (const name of CONTENDERS) await run.warmUp(variants[name]);
  const windowMs = plan.windowMs(plan.rounds * CONTENDERS.length, share);
  const results = await inRounds(CONTENDERS, plan.rounds, async (name, round) => {
    const report = await run.measure(variants[name], { kind: 'closed' }, windowMs);
    say(`stores, round ${round + 1} of ${plan.rounds}: ${name} ${callsPerSecond(report)}`);
    return report;
  });
  const rows = [...results].map(([name, reports]) => [
    name,
    { ...loadFigures(reports), peakMemoryMb: readPeakMemoryMb(variants[name].processId) },
  ]);
  const cores = cpus().length;
  const twoNodes = cores < CORES_FOR_TWO_NODES ? {} : { twoNodes: await measureTwoNodes(run, servers, windowMs) };
  const ratioOf = (one: ContenderName, other: ContenderName) => cpuRatio(results.get(one), results.get(other));
  const cpuRatios = { plain: ratioOf('postgres', 'sqlite'), limited: ratioOf('postgresLimited', 'sqliteLimited') };
  return { ...(Object.fromEntries(rows) as Record<ContenderName, StoreRow>), cpuRatios, ...twoNodes, cores };
}

function cpuRatio(ones: readonly LoadReport[] = [], others: readonly LoadReport[] = []): Figure {
  const cpuUs = ({ time, calls }: LoadReport) => time.total / calls;
  return figureOf(ones.map((one, round) => cpuUs(one) / cpuUs(others[round] as LoadReport)));
}

/** Two load generators and two upstreams, so that it is the nodes that are measured: both together, and one of them alone. */
async function measureTwoNodes(run: BenchRun, servers: StoreServers, windowMs: number): Promise<number> {
  const { plan, say, surroundings } = run;
  say('starting two nodes on one database');
  const other = await startBenchRun(surroundings.workplace, plan, say);
  const stores = await storesOf(servers, 'two-nodes');
  const first = await startPosternOnStores(surroundings, USUAL_SIZE, { ...stores, name: 'two-nodes-first' });
  const second = await startPosternOnStores(other.surroundings, USUAL_SIZE, { ...stores, name: 'two-nodes-second' });
  // Both came with a start-up file: what the second one says holds for both.
  const nodes = [first, second].map((node) => ({ ...node, tokens: second.tokens }));
  await Promise.all([run.warmUp(nodes[0] as Variant), other.warmUp(nodes[1] as Variant)]);
  const results = await inRounds(['one', 'two'] as const, plan.rounds, async (count) => {
    const load = { kind: 'closed' } as const;
    const measured = [run.measure(nodes[0] as Variant, load, windowMs)];
    if (count === 'two') measured.push(other.measure(nodes[1] as Variant, load, windowMs));
    return (await Promise.all(measured)).reduce((sum, { calls, seconds }) => sum + calls / seconds, 0);
  });
  const median = (values: readonly number[] = []) =>
    [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
  return median(results.get('two')) / median(results.get('one'));
}

/** A database of its own, and keys of its own in Redis by their number of database. */
async function storesOf(servers: StoreServers, name: string): Promise<PosternStores> {
  const { default: pg } = await import('pg');
  const client = new pg.Client({ connectionString: servers.postgresUrl });
  await client.connect();
  try {
    await client.query(`create database "${name}"`);
  } finally {
    await client.end();
  }
  const database = new URL(servers.postgresUrl);
  database.pathname = `/${name}`;
  return {
    name,
    environment: {
      POSTERN_DATABASE_URL: database.href,
      POSTERN_REDIS_URL: `${servers.redisUrl}/${redisDatabase++}`,
      POSTERN_MASTER_KEY: MASTER_KEY,
      POSTERN_ADMIN_TOKEN: ADMIN_TOKEN,
    },
    serverIds: servers.processIds,
  };
}

let redisDatabase = 0;
const MASTER_KEY = `bench:${randomBytes(32).toString('base64')}`;
const ADMIN_TOKEN = randomBytes(32).toString('base64url');
