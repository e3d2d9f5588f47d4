import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createDbRepositories, type DbClient, openSqlite } from '@postern/db';
import type { DbRepositories, NewNode } from '@postern/db/ports';
import { type TemporaryFolder, temporaryFolder } from '@postern/testing';
import { generateMasterKey, type KeyRing } from '@postern/vault';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type DataFolder, openDataFolder } from '../data-folder.ts';
import type { Environment } from '../environment.ts';
import { readSettings } from '../settings.ts';
import { joinNodes, type NodePresence, type NodePresenceParts } from './node-presence.ts';
import { openSharedKeyRing, type SharedKeyParts, sharedBootstrapToken, sharedOldestKey } from './shared-keys.ts';

let folder: TemporaryFolder;
let db: DbClient;
let repositories: DbRepositories;
let present: NodePresence[];

beforeEach(async () => {
  folder = await temporaryFolder();
  present = [];
  db = await openSqlite({ file: path.join(folder.path, 'shared.db') });
  repositories = createDbRepositories(db, { now: Date.now, newId: randomUUID });
});

afterEach(async () => {
  for (const presence of present) await presence.leave();
  await db.close();
  await folder.remove();
});

function folderOf(name: string): DataFolder {
  const unlocked = () => ({ close: () => undefined });
  return openDataFolder(path.join(folder.path, name), unlocked);
}

/** What a node of this data folder and environment brings along. */
function sharingOf(name: string, environment: Environment = {}): SharedKeyParts {
  return { settings: readSettings(environment), folder: folderOf(name), marks: repositories.instanceMarks };
}

const fileOf = (name: string, file: string) => path.join(folder.path, name, file);
const base64 = (fill: number) => Buffer.alloc(32, fill).toString('base64');
const [K1, K2, K3] = [`k1:${base64(1)}`, `k2:${base64(2)}`, `k3:${base64(3)}`];

describe('the master key of several nodes', () => {
  test('is made by the first, in its data folder, and given to the others', async () => {
    const first = await openSharedKeyRing(sharingOf('one'));
    const text = readFileSync(fileOf('one', 'master-key'), 'utf8').trim();
    expect(await openSharedKeyRing(sharingOf('one'))).toEqual(first);
    expect(await openSharedKeyRing(sharingOf('two', { POSTERN_MASTER_KEY: text }))).toEqual(first);
  });

  test('is asked for, and not made, by a node that comes to sealed data without one', async () => {
    await openSharedKeyRing(sharingOf('one', { POSTERN_MASTER_KEY: K1 }));
    const two = sharingOf('two');
    await expect(openSharedKeyRing(two)).rejects.toThrow(/^POSTERN_MASTER_KEY: is needed.*key ids k1.*copy/);
    expect(two.folder.find('master-key')).toBeUndefined();
  });

  test('of another node is refused, given or found, and the message tells no key', async () => {
    await openSharedKeyRing(sharingOf('one', { POSTERN_MASTER_KEY: K1 }));
    for (const other of [K2, `k1:${base64(9)}`, `${K2},k1:${base64(9)}`]) {
      const refused = openSharedKeyRing(sharingOf('two', { POSTERN_MASTER_KEY: other }));
      await expect(refused).rejects.toThrow(/^POSTERN_MASTER_KEY: is not the key that the database was sealed with/);
      await expect(refused).rejects.not.toThrow(other.split(':')[1] as string);
    }
    mkdirSync(path.join(folder.path, 'three'));
    writeFileSync(fileOf('three', 'master-key'), generateMasterKey());
    await expect(openSharedKeyRing(sharingOf('three'))).rejects.toThrow(/three\/master-key is not the key/);
  });

  test('is the same for two that begin at once on nothing: one of them is told to ask for it', async () => {
    const ends = await Promise.allSettled(['one', 'two'].map((name) => openSharedKeyRing(sharingOf(name))));
    expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const kept = ['one', 'two'].map((name) => folderOf(name).find('master-key') !== undefined);
    expect(kept).toEqual(ends.map(({ status }) => status === 'fulfilled'));
  });

  test('may be followed and preceded by others, which are remembered too', async () => {
    await openSharedKeyRing(sharingOf('one', { POSTERN_MASTER_KEY: K1 }));
    await openSharedKeyRing(sharingOf('one', { POSTERN_MASTER_KEY: `${K1},${K2}` }));
    await openSharedKeyRing(sharingOf('two', { POSTERN_MASTER_KEY: `${K2},${K1},${K3}` }));
    const changed = openSharedKeyRing(sharingOf('three', { POSTERN_MASTER_KEY: `${K1},k3:${base64(9)}` }));
    await expect(changed).rejects.toThrow('k1, k2, k3');
  });
});

test('what must not change with a rotation comes of the key that was there first, until nobody has it', async () => {
  const ringOf = (text: string) => openSharedKeyRing(sharingOf('one', { POSTERN_MASTER_KEY: text }));
  const oldest = async (text: string, hasOthers: boolean) =>
    sharedOldestKey(sharingOf('one', { POSTERN_MASTER_KEY: text }), await ringOf(text), hasOthers);
  for (const text of [K1, `${K1},${K2}`, `${K2},${K1}`]) expect(await oldest(text, true)).toBe('k1');
  await expect(oldest(K2, true)).rejects.toThrow(/^POSTERN_MASTER_KEY: lacks the key k1/);
  expect(await oldest(K2, false)).toBe('k2');
  await expect(oldest(K1, true)).rejects.toThrow('lacks the key k2');
});

describe('the bootstrap owner’s token of several nodes', () => {
  const GIVEN = { POSTERN_MASTER_KEY: K1 };
  let keyRing: KeyRing;
  beforeEach(async () => {
    keyRing = await openSharedKeyRing(sharingOf('one', GIVEN));
  });

  test('is made by the first, and known to the others by its digest alone', async () => {
    const first = await sharedBootstrapToken(sharingOf('one'), keyRing, false);
    const token = readFileSync(fileOf('one', 'admin-token'), 'utf8').trim();
    const two = sharingOf('two');
    expect(await sharedBootstrapToken(two, keyRing, true)).toEqual(first);
    expect(two.folder.find('admin-token')).toBeUndefined();
    expect(await sharedBootstrapToken(sharingOf('three', { POSTERN_ADMIN_TOKEN: token }), keyRing, true)).toEqual(
      first,
    );
    expect(await repositories.instanceMarks.find('bootstrap-token')).not.toContain(token);
  });

  test('is made once by two that begin at once', async () => {
    const [one, two] = [sharingOf('one'), sharingOf('two')];
    const tokens = await Promise.all([one, two].map((parts) => sharedBootstrapToken(parts, keyRing, true)));
    expect(tokens[0]).toEqual(tokens[1]);
    const files = [one, two].filter((parts) => parts.folder.find('admin-token') !== undefined);
    expect(files).toHaveLength(1);
  });

  test('is not changed by one node while others run, and is by one that is alone', async () => {
    const first = await sharedBootstrapToken(sharingOf('one', { POSTERN_ADMIN_TOKEN: 'a'.repeat(40) }), keyRing, false);
    const other = sharingOf('two', { POSTERN_ADMIN_TOKEN: 'b'.repeat(40) });
    await expect(sharedBootstrapToken(other, keyRing, true)).rejects.toThrow(/^POSTERN_ADMIN_TOKEN: is not the token/);
    const changed = await sharedBootstrapToken(other, keyRing, false);
    expect(changed).not.toEqual(first);
    expect(await sharedBootstrapToken(sharingOf('three'), keyRing, true)).toEqual(changed);
    const former = sharingOf('one', { POSTERN_ADMIN_TOKEN: 'a'.repeat(40) });
    await expect(sharedBootstrapToken(former, keyRing, true)).rejects.toThrow('POSTERN_ADMIN_TOKEN');
  });

  test('of a data folder that is not theirs is refused by its name', async () => {
    await sharedBootstrapToken(sharingOf('one'), keyRing, false);
    const two = sharingOf('two');
    two.folder.replace('admin-token', 'c'.repeat(40));
    await expect(sharedBootstrapToken(two, keyRing, true)).rejects.toThrow(/two\/admin-token holds another token/);
  });

  test('that was recorded under a master key that is gone is asked for', async () => {
    await sharedBootstrapToken(sharingOf('one'), keyRing, false);
    const rotated = await openSharedKeyRing(sharingOf('two', { POSTERN_MASTER_KEY: `${K2},${K1}` }));
    const without: KeyRing = { active: 'k2', keys: { k2: rotated.keys['k2'] as Uint8Array } };
    await expect(sharedBootstrapToken(sharingOf('two'), without, true)).rejects.toThrow(/master key k1/);
    const given = sharingOf('two', { POSTERN_ADMIN_TOKEN: 'd'.repeat(40) });
    expect((await sharedBootstrapToken(given, without, false)).keyId).toBe('k2');
  });
});

describe('a node that joins', () => {
  const faults: string[] = [];
  const nodeOf = (change: Partial<NewNode> = {}): NewNode => ({
    node: 'node-1',
    boot: randomUUID(),
    version: '0.1.0',
    keyIds: ['k1'],
    hasRedis: true,
    ...change,
  });

  async function join(node: NewNode, change: Partial<NodePresenceParts> = {}): Promise<NodePresence> {
    const presence = await joinNodes({
      nodes: repositories.nodes,
      node,
      formerBoot: undefined,
      wallClock: Date.now,
      leaseMs: 15_000,
      onError: (_error, doing) => faults.push(doing),
      ...change,
    });
    present.push(presence);
    return presence;
  }

  test('is listed while it is there, and goes by the store’s time whatever its own clock says', async () => {
    const presence = await join(nodeOf(), { wallClock: () => Date.now() + 600_000 });
    expect(Math.abs(presence.now() - Date.now())).toBeLessThan(2_000);
    expect(Math.abs(presence.clockAheadMs() - 600_000)).toBeLessThan(2_000);
    const [known] = (await presence.list()).nodes;
    expect(Math.abs((known?.clockAheadMs ?? 0) - 600_000)).toBeLessThan(2_000);
    await presence.leave();
    expect((await presence.list()).nodes).toEqual([]);
  });

  test('is refused under the name of one that lives, unless that was its own last run', async () => {
    const first = nodeOf();
    await join(first);
    await expect(join(nodeOf())).rejects.toThrow(/node name node-1.*copied.*node-id/);
    const again = await join(nodeOf(), { formerBoot: first.boot });
    expect((await again.list()).nodes).toHaveLength(1);
  });

  test('gives signs of life, and learns from them that another has its name', async () => {
    const first = nodeOf();
    const presence = await join(first, { leaseMs: 60 });
    await join(nodeOf(), { formerBoot: first.boot });
    expect((await presence.lost).message).toContain('node-1');
  });

  test.each<[string, NewNode['keyIds'], NewNode['keyIds'], RegExp | undefined]>([
    ['the same key', ['k1'], ['k1'], undefined],
    ['a new key behind the old one', ['k1'], ['k1', 'k2'], undefined],
    ['the new key first, which the other has behind', ['k1', 'k2'], ['k2', 'k1'], undefined],
    ['the new key first, which the other has not', ['k1'], ['k2', 'k1'], /node-1, which runs, has not the key k2/],
    ['not the key that the other seals with', ['k2', 'k1'], ['k1'], /this node has not the key k2/],
    ['the same keys', ['k2', 'k1'], ['k2', 'k1'], undefined],
  ])('with %s', async (_what, running, own, refused) => {
    await join(nodeOf({ keyIds: running }));
    const joining = join(nodeOf({ node: 'node-2', keyIds: own }));
    if (refused === undefined) await joining;
    else await expect(joining).rejects.toThrow(refused);
    const { nodes } = await repositories.nodes.list();
    expect(nodes).toHaveLength(refused === undefined ? 2 : 1);
  });
});
