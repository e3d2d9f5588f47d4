import { startPostgresServer, startRedisServer } from '@postern/testing';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** Of a superuser, on the database `postgres` of a server that is there for this run alone. */
    postgresUrl: string;
    redisUrl: string;
  }
}

/** Starts the servers that the run's tests share; each test makes a database, or a key prefix, of its own on them. */
export default async function startStores(project: TestProject): Promise<() => Promise<void>> {
  const [postgres, redis] = await Promise.all([startPostgresServer(), startRedisServer()]);
  project.provide('postgresUrl', postgres.url);
  project.provide('redisUrl', redis.url);
  return async () => {
    await Promise.all([postgres.close(), redis.close()]);
  };
}
