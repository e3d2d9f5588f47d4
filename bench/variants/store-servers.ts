import { readdirSync, readFileSync } from 'node:fs';
import { startPostgresServer, startRedisServer } from '@postern/testing';
import type { Workplace } from '../workplace.ts';

/** A PostgreSQL whose commits reach the disk and a Redis, for the benchmark alone. */
export interface StoreServers {
  readonly postgresUrl: string;
  readonly redisUrl: string;
  /** Of the servers' first processes; their children are counted with them. */
  readonly processIds: readonly number[];
}

/** They end with the workplace. */
export async function startStoreServers(workplace: Workplace): Promise<StoreServers> {
  const before = new Set(childrenOfThisProcess());
  const postgres = await startPostgresServer({ durable: true });
  workplace.adopt(postgres);
  const redis = await startRedisServer();
  workplace.adopt(redis);
  const processIds = childrenOfThisProcess().filter((id) => !before.has(id));
  return { postgresUrl: postgres.url, redisUrl: redis.url, processIds };
}

function childrenOfThisProcess(): number[] {
  return readdirSync('/proc/self/task').flatMap((thread) => {
    const list = readFileSync(`/proc/self/task/${thread}/children`, 'utf8').trim();
    return list === '' ? [] : list.split(' ').map(Number);
  });
}
