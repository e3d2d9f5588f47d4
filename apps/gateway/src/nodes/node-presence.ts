import { DbError, type KnownNodes, type NewNode, type NodeRecord, type NodesPort } from '@postern/db/ports';
import { DataFolderError } from '../data-folder.ts';
import { EnvironmentError } from '../environment.ts';
import { StoreClock } from './store-clock.ts';

export interface NodePresenceParts {
  readonly nodes: NodesPort;
  readonly node: NewNode;
  /** The boot that this data folder ran last; it is over, for the folder's lock is ours. */
  readonly formerBoot: string | undefined;
  /** The machine's own clock, in milliseconds since the epoch. */
  readonly wallClock: () => number;
  readonly onError: (error: unknown, doing: string) => void;
  /** The machine's clock and the store's have come to differ by more than a second. */
  readonly onClockApart?: (aheadMs: number) => void;
  /** Milliseconds that never go back. Default: the process's monotonic clock. */
  readonly clock?: () => number;
  /** How long the node counts as living without a sign. */
  readonly leaseMs: number;
}

/** Signs of life in the time of one lease. */
const BEATS = 3;
const CLOCKS_APART_MS = 1_000;
/** Nodes that are over are shown for so long. */
const KEPT_MS = 86_400_000;

/** What this node and the others know of each other. */
export interface NodePresence {
  /** The store's time. */
  readonly now: () => number;
  /** How far this machine's clock is ahead of the store's. */
  readonly clockAheadMs: () => number;
  readonly list: () => Promise<KnownNodes>;
  /** Resolves when another boot has taken this node's name: two would close each other's calls, so this one must end. */
  readonly lost: Promise<Error>;
  /** The node ends: its name is free. Never rejects. */
  leave(): Promise<void>;
}

/**
 * Enters the node among those of its store and gives a sign of life every few seconds.
 *
 * @throws DataFolderError when another node lives under its name, EnvironmentError when it has other keys than one that lives, DbError.
 */
export async function joinNodes(parts: NodePresenceParts): Promise<NodePresence> {
  const { nodes, node, wallClock, onError, leaseMs, clock = () => performance.now() } = parts;
  const storeClock = new StoreClock(clock);
  const clockAheadMs = () => Math.round(wallClock() - storeClock.now());

  const read = async (storeMs: Promise<number | undefined>) => {
    const askedMs = clock();
    const told = await storeMs;
    if (told !== undefined) storeClock.read({ storeMs: told, askedMs, answeredMs: clock() });
    return told;
  };
  await read(nodes.list().then(({ now }) => now));
  await enter();
  let areApart = false;
  judgeClock();

  let isFailing = false;
  const { promise: lost, resolve: lose } = Promise.withResolvers<Error>();
  const beats = setInterval(() => void beat(), leaseMs / BEATS).unref();

  async function enter(): Promise<void> {
    const terms = { leaseMs, clockAheadMs: clockAheadMs(), formerBoot: parts.formerBoot };
    const joined = await nodes.join(node, terms);
    if (joined.kind === 'taken') throw nameTaken(joined.by, leaseMs);
    try {
      const { now, nodes: all } = await nodes.list();
      checkKeys(node, livingOthers(node, all, now));
      await nodes.sweep(KEPT_MS);
    } catch (error) {
      await nodes.leave(node).catch(() => undefined);
      throw error;
    }
  }

  async function beat(): Promise<void> {
    try {
      const told = await read(nodes.beat(node, { leaseMs, clockAheadMs: clockAheadMs() }));
      isFailing = false;
      judgeClock();
      if (told === undefined) end(new DbError('conflict', `another gateway has taken the node name ${node.node}`));
    } catch (error) {
      if (!isFailing) onError(error, 'give a sign of life');
      isFailing = true;
    }
  }

  function judgeClock(): void {
    const aheadMs = clockAheadMs();
    const were = areApart;
    areApart = Math.abs(aheadMs) > CLOCKS_APART_MS;
    if (areApart && !were) parts.onClockApart?.(aheadMs);
  }

  function end(error: Error): void {
    clearInterval(beats);
    lose(error);
  }

  return {
    now: storeClock.now,
    clockAheadMs,
    list: () => nodes.list(),
    lost,
    async leave() {
      clearInterval(beats);
      await nodes.leave(node).catch((error: unknown) => onError(error, 'leave the other nodes'));
    },
  };
}

/** Those that give signs of life, but for this node. */
export function livingOthers(
  { node, boot }: Pick<NewNode, 'node' | 'boot'>,
  nodes: readonly NodeRecord[],
  now: number,
): readonly NodeRecord[] {
  return nodes.filter((other) => other.aliveUntil > now && !(other.node === node && other.boot === boot));
}

function nameTaken({ node }: NodeRecord, leaseMs: number): DataFolderError {
  return new DataFolderError(
    `Another gateway runs under the node name ${node} on this database. Was the data folder copied? Then remove the file node-id from one of the copies, and start again. A gateway that was killed elsewhere gives its name free after ${leaseMs / 1_000} s.`,
  );
}

/** What a node seals all others must open. */
function checkKeys(own: NewNode, others: readonly NodeRecord[]): void {
  for (const other of others) {
    const missing = !other.keyIds.includes(own.keyIds[0])
      ? `the node ${other.node}, which runs, has not the key ${own.keyIds[0]} that this node would seal with`
      : !own.keyIds.includes(other.keyIds[0])
        ? `this node has not the key ${other.keyIds[0]} that the node ${other.node} seals with`
        : undefined;
    if (missing === undefined) continue;
    throw new EnvironmentError(
      'POSTERN_MASTER_KEY',
      `${missing}; give all nodes a new key behind the old one first, and only then before it`,
    );
  }
}
