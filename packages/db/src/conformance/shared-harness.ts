import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll } from 'vitest';
import type { DbClient } from '../client.ts';
import type { DbContext } from '../ports/context.ts';
import type { DbRepositories } from '../ports/repositories.ts';
import { createDbRepositories } from '../repositories/create-db-repositories.ts';
import { runInTransaction } from '../transaction.ts';
import { AGENT, type DbHarness, type MakeDbHarness } from './harness.ts';

/** One store for all tests of a suite; each test has tenants of its own. */
export interface SharedHarness {
  readonly harness: DbHarness;
  readonly repositories: DbRepositories;
  readonly clock: DbHarness['clock'];
  newTenant(): Promise<string>;
  /** Of that tenant; answers its id. */
  newAgent(tenant: string, name?: string): Promise<string>;
  /** The repositories of a second process. Ids of its own, the same clock. */
  secondProcess(): Promise<DbRepositories>;
  within<T>(operation: (context: DbContext) => Promise<T>): Promise<T>;
  /** A transaction of the second process. */
  secondWithin<T>(operation: (context: DbContext, repositories: DbRepositories) => Promise<T>): Promise<T>;
}

export function shareHarness(makeHarness: MakeDbHarness): SharedHarness {
  let harness: DbHarness | undefined;
  let second: Promise<{ readonly client: DbClient; readonly repositories: DbRepositories }> | undefined;
  let tenants = 0;
  beforeAll(async () => {
    harness = await makeHarness();
  });
  afterAll(() => harness?.close());
  const started = (): DbHarness => {
    if (harness === undefined) throw new Error('the harness is made before the first test');
    return harness;
  };
  const connectSecond = () => {
    const { connectAgain, clock } = started();
    second ??= connectAgain().then((client) => {
      const options = { now: () => clock.nowMs, newId: () => randomUUID() };
      return { client, repositories: createDbRepositories(client, options) };
    });
    return second;
  };
  return {
    get harness() {
      return started();
    },
    get repositories() {
      return started().repositories;
    },
    get clock() {
      return started().clock;
    },
    async newTenant() {
      const { name } = await started().repositories.tenants.create(`tenant-${++tenants}`);
      return name;
    },
    async newAgent(tenant, name = 'coder') {
      return (await started().repositories.agents.create(tenant, { ...AGENT, name }, 'api')).id;
    },
    secondProcess: async () => (await connectSecond()).repositories,
    within: (operation) => runInTransaction(started().client, operation),
    async secondWithin(operation) {
      const { client, repositories } = await connectSecond();
      return runInTransaction(client, (context) => operation(context, repositories));
    },
  };
}

/** A SHA-256 that is made of a number. */
export function hashOf(number: number): string {
  return number.toString(16).padStart(64, '0');
}

export const range = (length: number): readonly number[] => Array.from({ length }, (_, index) => index);
