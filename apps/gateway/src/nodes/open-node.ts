import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { LeaseOwner } from '@postern/db/ports';
import type { DataFolder } from '../data-folder.ts';
import { type GatewayKeys, keysOf, openKeys } from '../keys.ts';
import type { Log } from '../log.ts';
import type { SharedRedis } from '../open-redis.ts';
import { openStores, type Sharing, type Stores } from '../open-stores.ts';
import type { Settings } from '../settings.ts';
import { joinNodes, livingOthers, type NodePresence } from './node-presence.ts';
import { openSharedKeyRing, sharedBootstrapToken, sharedOldestKey } from './shared-keys.ts';

export interface OpenNodeParts {
  readonly settings: Settings;
  readonly folder: DataFolder;
  readonly log: Log;
  /** The machine's own clock, in milliseconds since the epoch. */
  readonly wallClock: () => number;
  /** How long what is this node's stays so without a sign of life. */
  readonly leaseMs: number;
}

/** One start of this program on its stores, alone on them or one of several. */
export interface OpenedNode extends LeaseOwner {
  readonly stores: Stores;
  readonly leaseMs: number;
  readonly keys: GatewayKeys;
  /** Milliseconds since the epoch, by the clock that all nodes of the store go by. */
  readonly now: () => number;
  /** undefined: no other node can be on the store. */
  readonly presence: NodePresence | undefined;
  /** undefined: there is none. */
  readonly redis: SharedRedis | undefined;
  /** Ends what was opened here, the database last. */
  close(): Promise<void>;
}

/** The boot that ran last on a data folder, by which its node name is known to be free. */
const BOOT_FILE = 'boot-id';

/**
 * Opens the stores and the keys. Where other nodes may be on the database, the node is entered among them, and refused when it has other keys
 * or another's name. Nothing of a call is touched before.
 *
 * @throws EnvironmentError, DataFolderError, DbError
 */
export async function openNode(parts: OpenNodeParts): Promise<OpenedNode> {
  const { settings, folder, log, wallClock, leaseMs } = parts;
  const owner = { node: folder.node, boot: randomUUID() };
  // Before the database is made: what is refused here leaves none behind.
  const ownKeys = settings.database.kind === 'sqlite' ? openKeys(settings, folder) : undefined;
  const stores = await openStores(settings, wallClock);
  const closers: (() => Promise<void>)[] = [() => stores.db.close()];
  const close = async () => {
    for (const closer of closers.splice(0).reverse()) await closer();
  };
  try {
    const { sharing } = stores;
    const shared = sharing === undefined ? undefined : await joinShared(parts, owner, sharing);
    if (shared !== undefined) closers.push(() => shared.presence.leave());
    const keys = ownKeys ?? (shared as Shared).keys;
    const redis = await connectRedis(settings, keys, log);
    if (redis !== undefined) closers.push(() => redis.close());
    const presence = shared?.presence;
    return { ...owner, stores, leaseMs, keys, now: presence?.now ?? wallClock, presence, redis, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function connectRedis(
  { redisUrl: url }: Settings,
  { redisPrefix: prefix }: GatewayKeys,
  log: Log,
): Promise<SharedRedis | undefined> {
  if (url === undefined) return undefined;
  const { openRedis } = await import('../open-redis.ts');
  return openRedis({ url, prefix, log });
}

interface Shared {
  readonly keys: GatewayKeys;
  readonly presence: NodePresence;
}

async function joinShared(
  { settings, folder, log, wallClock, leaseMs }: OpenNodeParts,
  owner: LeaseOwner,
  { nodes, marks, findings }: Sharing,
): Promise<Shared> {
  const sharing = { settings, folder, marks };
  const keyRing = await openSharedKeyRing(sharing);
  const node = {
    ...owner,
    version: programVersion(),
    keyIds: [keyRing.active, ...Object.keys(keyRing.keys).filter((id) => id !== keyRing.active)] as const,
    hasRedis: settings.redisUrl !== undefined,
  };
  const formerBoot = folder.find(BOOT_FILE);
  const presence = await joinNodes({
    ...{ nodes, node, formerBoot, wallClock, leaseMs, onError: log.error },
    onClockApart: (aheadMs) =>
      log.logger.warn(
        { aheadMs },
        'this machine’s clock and the database’s differ; nodes go by the database’s. Set both by NTP: what is signed, and certificates, go by a clock too',
      ),
  });
  try {
    folder.replace(BOOT_FILE, owner.boot);
    for (const { message } of await findings()) log.logger.warn(message);
    const known = await presence.list();
    const hasOthers = livingOthers(owner, known.nodes, known.now).length > 0;
    const oldest = await sharedOldestKey(sharing, keyRing, hasOthers);
    const bootstrapToken = await sharedBootstrapToken(sharing, keyRing, hasOthers);
    return { keys: keysOf(keyRing, { bootstrapToken, oldest }), presence };
  } catch (error) {
    await presence.leave();
    throw error;
  }
}

function programVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return version as string;
}
