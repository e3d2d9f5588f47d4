import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { createDbRepositories, type DbClient, openSqlite, runInTransaction } from '@postern/db';
import type { DbRepositories } from '@postern/db/ports';
import { type TemporaryFolder, temporaryFolder } from '@postern/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { SecretVersion } from '../directory/secret-version.ts';
import { createNodeTurns, type NodeTurnsParts } from './node-turns.ts';

const TENANT = 'default';
const REFRESH: SecretVersion = { tenant: TENANT, name: 'refresh', version: 1 };

let folder: TemporaryFolder;
let clients: DbClient[];
let repositories: DbRepositories;

beforeEach(async () => {
  folder = await temporaryFolder();
  const file = path.join(folder.path, 'postern.db');
  clients = [await openSqlite({ file }), await openSqlite({ file })];
  repositories = repositoriesOf(0);
  await repositories.tenants.create(TENANT);
});

afterEach(async () => {
  for (const client of clients) await client.close();
  await folder.remove();
});

function repositoriesOf(node: number): DbRepositories {
  return createDbRepositories(clients[node] as DbClient, { now: Date.now, newId: randomUUID });
}

function turnsOf(node: number, change: Partial<NodeTurnsParts> = {}) {
  const { backgroundLeases: leases, secrets } = repositoriesOf(node);
  return createNodeTurns({ leases, secrets, owner: { node: `node-${node}`, boot: `boot-${node}` }, ...change });
}

/** Writes the next version, made by rotation of `rotatedFrom` where that is given. */
async function write(rotatedFrom?: number): Promise<SecretVersion> {
  const version = await runInTransaction(clients[0] as DbClient, async (context) => {
    const next = await repositories.secrets.nextVersion(TENANT, REFRESH.name, context);
    const sealed = { tenant: TENANT, name: REFRESH.name, version: next, kekId: 'k1', envelope: '{}' };
    await repositories.secrets.createSecretEnvelopeVersion(
      { ...sealed, ...(rotatedFrom === undefined ? {} : { rotatedFrom }) },
      { origin: 'api' },
      context,
    );
    return next;
  });
  return { ...REFRESH, version };
}

describe('turns of several nodes at one secret', () => {
  test('never overlap, and none is left out', async () => {
    let running = 0;
    let most = 0;
    const taken: string[] = [];
    // A node's own tasks are kept apart before they come here.
    const takeSome = async (node: number) => {
      const turns = turnsOf(node);
      for (const round of [1, 2, 3]) {
        await turns.inTurn(REFRESH, async () => {
          running += 1;
          most = Math.max(most, running);
          await new Promise((resolve) => setTimeout(resolve, 5));
          running -= 1;
          taken.push(`${node}.${round}`);
        });
      }
    };
    await Promise.all([takeSome(0), takeSome(1)]);
    expect(most).toBe(1);
    expect(taken.sort()).toEqual(['0.1', '0.2', '0.3', '1.1', '1.2', '1.3']);
  });

  test('of one secret do not wait for those of another', async () => {
    const held = Promise.withResolvers<void>();
    const first = turnsOf(0).inTurn(REFRESH, () => held.promise);
    expect(await turnsOf(1).inTurn({ ...REFRESH, name: 'other' }, async () => 'other')).toBe('other');
    held.resolve();
    await first;
  });

  test('are over after a failure too', async () => {
    await expect(turnsOf(0).inTurn(REFRESH, () => Promise.reject(new Error('refused')))).rejects.toThrow('refused');
    expect(await turnsOf(1, { patienceMs: 0 }).inTurn(REFRESH, async () => 'next')).toBe('next');
  });

  test('are waited for with patience, and not for ever', async () => {
    await repositories.backgroundLeases.hold('rotate default refresh', { node: 'gone', boot: 'boot' }, 60_000);
    const refused = turnsOf(0, { patienceMs: 60 }).inTurn(REFRESH, async () => undefined);
    await expect(refused).rejects.toMatchObject({ code: 'store_failed' });
  });

  test('of a node that is gone end with its lease', async () => {
    await repositories.backgroundLeases.hold('rotate default refresh', { node: 'gone', boot: 'boot' }, 30);
    expect(await turnsOf(0).inTurn(REFRESH, async () => 'next')).toBe('next');
  });

  test('are not had while the store does not answer', async () => {
    const turns = turnsOf(1);
    await clients[1]?.close();
    await expect(turns.inTurn(REFRESH, async () => undefined)).rejects.toMatchObject({ code: 'store_failed' });
    await expect(turns.newest(REFRESH)).rejects.toMatchObject({ code: 'store_failed' });
  });
});

describe('the newest version of a secret, whichever node has rotated it', () => {
  test('is of the same line', async () => {
    await write();
    const turns = turnsOf(1);
    expect(await turns.newest(REFRESH)).toEqual(REFRESH);
    const second = await write(1);
    const third = await write(1);
    expect(await turns.newest(REFRESH)).toEqual(third);
    expect(await turns.newest(second)).toEqual(third);
  });

  test('is never one that a person has written since', async () => {
    await write();
    const byPerson = await write();
    const turns = turnsOf(1);
    expect(await turns.newest(REFRESH)).toEqual(REFRESH);
    const rotated = await write(byPerson.version);
    expect(await turns.newest(REFRESH)).toEqual(REFRESH);
    expect(await turns.newest(byPerson)).toEqual(rotated);
  });

  test('is the one that was meant when the secret is gone', async () => {
    expect(await turnsOf(0).newest(REFRESH)).toEqual(REFRESH);
  });
});
