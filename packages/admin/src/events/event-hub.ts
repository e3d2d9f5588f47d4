import { randomBytes } from 'node:crypto';

/** Something that happened in a tenant, for those who watch. Identifiers and words for people; never a secret, an argument or a body. */
export interface LiveEvent {
  readonly tenant: string;
  /** As audit entries are named, such as `approval.created`. */
  readonly type: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface NumberedEvent extends LiveEvent {
  /** Of the hub that gave it out; opaque to watchers. */
  readonly id: string;
}

/** What the hub tells a watcher. Both are called at once, in order, and must not throw. */
export interface EventWatcher {
  deliver(event: NumberedEvent): void;
  /** What happened since is not all known here: what is shown must be read anew. */
  reset?(): void;
  /** The hub closes. */
  end(): void;
}

export interface EventWatch {
  /** What happened after the event that the watcher saw last. */
  readonly missed: readonly NumberedEvent[];
  /** That event is not remembered any more: what happened since is not known here. */
  readonly isReset: boolean;
  stop(): void;
}

/**
 * Tells those who watch what happens, within this process. It remembers a little of each tenant, so that a watcher whose connection broke
 * goes on where it stopped; it is no record, which is the audit log's to be.
 *
 * A bus between nodes publishes here what other nodes tell it, and is fed by a watcher of its own; ids belong to one hub, so that a
 * watcher that comes to another node is told to read anew.
 */
export interface EventHub {
  /** Never waits and never throws. */
  publish(event: LiveEvent): void;
  /** undefined: the hub is closed, or has as many watchers as it takes. */
  watch(tenant: string, lastEventId: string | undefined, watcher: EventWatcher): EventWatch | undefined;
  /** Events of other nodes may have been missed: nothing is remembered any more, and all who watch are told. */
  forget(): void;
  /** Ends all watches; none begins after. */
  close(): void;
}

export interface EventHubOptions {
  /** Events remembered of a tenant. Default 256. */
  readonly rememberedMax?: number;
  /** Tenants of which events are remembered. Default 256. */
  readonly tenantsMax?: number;
  /** Default 200; of one tenant at most half of them. */
  readonly watchersMax?: number;
}

/** What is remembered of one tenant. Numbers count from 1 within an epoch, which no other memory shares. */
interface TenantMemory {
  readonly epoch: string;
  next: number;
  readonly events: NumberedEvent[];
}

export function createEventHub(options: EventHubOptions = {}): EventHub {
  const { rememberedMax = 256, tenantsMax = 256, watchersMax = 200 } = options;
  const memories = new Map<string, TenantMemory>();
  const watchers = new Map<string, Set<EventWatcher>>();
  let watching = 0;
  let isClosed = false;

  /** The tenant that was quiet for longest is forgotten first; its watchers go on. */
  function memoryOf(tenant: string): TenantMemory {
    const found = memories.get(tenant);
    memories.delete(tenant);
    const memory = found ?? { epoch: randomBytes(8).toString('hex'), next: 1, events: [] };
    memories.set(tenant, memory);
    const oldest = memories.keys().next();
    if (memories.size > tenantsMax && !oldest.done) memories.delete(oldest.value);
    return memory;
  }

  return {
    publish(event) {
      const memory = memoryOf(event.tenant);
      const numbered = { ...event, id: `${memory.epoch}-${memory.next}` };
      memory.next += 1;
      memory.events.push(numbered);
      if (memory.events.length > rememberedMax) memory.events.shift();
      for (const watcher of watchers.get(event.tenant) ?? []) watcher.deliver(numbered);
    },

    watch(tenant, lastEventId, watcher) {
      const ofTenant = watchers.get(tenant) ?? new Set();
      if (isClosed || watching >= watchersMax || ofTenant.size >= Math.ceil(watchersMax / 2)) return undefined;
      const missed = lastEventId === undefined ? [] : eventsAfter(memoryOf(tenant), lastEventId);
      ofTenant.add(watcher);
      watchers.set(tenant, ofTenant);
      watching += 1;
      const stop = () => {
        if (!ofTenant.delete(watcher)) return;
        watching -= 1;
        if (ofTenant.size === 0) watchers.delete(tenant);
      };
      return { missed: missed ?? [], isReset: missed === undefined, stop };
    },

    forget() {
      memories.clear();
      for (const watcher of everyWatcher()) watcher.reset?.();
    },

    close() {
      isClosed = true;
      for (const watcher of everyWatcher()) watcher.end();
    },
  };

  function everyWatcher(): readonly EventWatcher[] {
    return [...watchers.values()].flatMap((ofTenant) => [...ofTenant]);
  }
}

/** undefined: whether there are any is not known. */
function eventsAfter({ epoch, next, events }: TenantMemory, lastEventId: string): readonly NumberedEvent[] | undefined {
  const [itsEpoch, number = ''] = lastEventId.split('-');
  const last = Number(number);
  if (itsEpoch !== epoch || !/^\d{1,15}$/.test(number) || last >= next) return undefined;
  const first = next - events.length;
  return last + 1 < first ? undefined : events.slice(last + 1 - first);
}
