import type { EventHub, LiveEvent } from '@postern/admin/live-events';
import type { EventRelayPort, InvalidationBusPort } from '@postern/db/ports';

/** What nodes tell each other by. Without them each finds what others did by looking. */
export interface NodeWires {
  readonly invalidations: InvalidationBusPort;
  readonly events: EventRelayPort;
}

export interface WordOfChangesParts {
  /** undefined: there is nobody to tell, or nothing to tell it by. */
  readonly wires: NodeWires | undefined;
  /** Unique to this start of the process: what comes back is not taken for another's. */
  readonly boot: string;
  /** Of those who watch at this node. */
  readonly hub: EventHub;
  /** Drops what is held of a tenant here ('*': of all). */
  readonly dropHeld: (tenant: string) => void;
  /** Another node has changed the tenant's configuration ('*': any). */
  readonly onForeignChange: (tenant: string) => void;
  /** Something has become of an approval, on whatever node. */
  readonly onApproval: (approvalId: string) => void;
  readonly onError: (error: unknown, doing: string) => void;
}

/** Word of what has changed: in force here at once, and on its way to the other nodes. */
export interface WordOfChanges {
  readonly configurationChanged: (tenant: string) => void;
  /** Resolves when word of a template is on its way to all nodes; rejects when nobody may have heard of it. */
  readonly templateChanged: (template: { readonly tenant: string; readonly name: string }) => Promise<void>;
  /** What is published reaches those who watch here and at other nodes. */
  readonly events: EventHub;
  start(): void;
  stop(): void;
}

/**
 * The wires make it sooner, and nothing depends on them: every node looks for changes of configuration every half second, and for the decision
 * on a waiting call every second. When a wire breaks, all that is held is dropped, for word may have been lost with it.
 */
export function createWordOfChanges(parts: WordOfChangesParts): WordOfChanges {
  const { wires, hub, dropHeld } = parts;
  if (wires === undefined) {
    const nothing = () => undefined;
    return {
      configurationChanged: dropHeld,
      templateChanged: async () => {},
      events: hub,
      start: nothing,
      stop: nothing,
    };
  }
  const tell = createTeller(parts.onError);
  let endings: (() => void)[] = [];
  return {
    configurationChanged(tenant) {
      dropHeld(tenant);
      tell(() => wires.invalidations.publish({ topic: 'directory', tenant }));
    },
    templateChanged: ({ tenant, name }) => wires.invalidations.publish({ topic: 'templates', tenant, subject: name }),
    events: {
      ...hub,
      publish(event) {
        hub.publish(event);
        tell(() => wires.events.publish(JSON.stringify({ from: parts.boot, event })));
      },
    },
    start() {
      const foreign = (tenant: string) => {
        dropHeld(tenant);
        parts.onForeignChange(tenant);
      };
      endings = [
        wires.invalidations.subscribe(['directory', 'templates'], {
          onInvalidation: ({ tenant }) => foreign(tenant),
          onLost: () => foreign('*'),
        }),
        wires.events.listen({ onMessage: (message) => hear(parts, message), onGap: () => hub.forget() }),
      ];
    },
    stop() {
      for (const end of endings) end();
    },
  };
}

/** One line when a wire breaks, not one for each word. */
function createTeller(onError: WordOfChangesParts['onError']): (word: () => Promise<void>) => void {
  let isFailing = false;
  return (word) => {
    word().then(
      () => {
        isFailing = false;
      },
      (error: unknown) => {
        if (!isFailing) onError(error, 'tell other nodes');
        isFailing = true;
      },
    );
  };
}

function hear({ boot, hub, onApproval, onError }: WordOfChangesParts, message: string): void {
  try {
    const { from, event } = JSON.parse(message) as { readonly from: unknown; readonly event: unknown };
    if (from === boot) return;
    if (!isEvent(event)) throw new TypeError('what came is no event');
    const { approvalId } = event.data;
    if (typeof approvalId === 'string') onApproval(approvalId);
    hub.publish(event);
  } catch (error) {
    onError(error, 'hear what another node tells');
  }
}

/** Its type stands in a line of its own where it is told. */
const EVENT_TYPE = /^[a-z_]+(\.[a-z_]+)+$/;

function isEvent(value: unknown): value is LiveEvent {
  const { tenant, type, at, data } = (value ?? {}) as Partial<Record<keyof LiveEvent, unknown>>;
  const isNamed = typeof tenant === 'string' && typeof type === 'string' && EVENT_TYPE.test(type);
  return isNamed && Number.isSafeInteger(at) && typeof data === 'object' && data !== null;
}
