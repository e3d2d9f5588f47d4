import { describe, expect, test } from 'vitest';
import { type AgentHosts, isNewHost, KnownHosts } from './known-hosts.ts';

const DAY_MS = 86_400_000;

interface Seen {
  readonly host: string;
  readonly at: number;
}

/** A store of one agent's hosts that remembers what it was told. */
function storeOf(stored: readonly { host: string; seenAt: number }[] = []) {
  const told: Seen[][] = [];
  let reads = 0;
  return {
    told,
    reads: () => reads,
    listHosts: async () => {
      reads += 1;
      return stored;
    },
    touchHosts: async (seen: readonly Seen[]) => {
      told.push(seen.map(({ host, at }) => ({ host, at })));
    },
  };
}

describe('a host', () => {
  test('is new to an agent that never called it, and once more after 30 days', () => {
    const hosts: AgentHosts = new Map([['a.example', 1_000]]);
    expect(isNewHost(hosts, 'b.example', 1_000)).toBe(true);
    expect(isNewHost(hosts, 'a.example', 1_000 + 30 * DAY_MS)).toBe(false);
    expect(isNewHost(hosts, 'a.example', 1_001 + 30 * DAY_MS)).toBe(true);
    // A clock that went back makes nothing new.
    expect(isNewHost(hosts, 'a.example', 0)).toBe(false);
  });

  test('is read once for an agent, shared by its keys, and written at most once a day', async () => {
    let now = 5_000;
    const store = storeOf([{ host: 'old.example', seenAt: 4_000 }]);
    const known = new KnownHosts(store, () => now);
    const [first, second] = await Promise.all([known.hostsOf('t', 'agent'), known.hostsOf('t', 'agent')]);
    expect(first).toBe(second);
    expect(await known.hostsOf('t', 'agent')).toBe(first);
    expect(isNewHost(first, 'old.example', now)).toBe(false);

    const agent = { tenant: 't', id: 'agent', knownHosts: first };
    for (const host of ['a.example', 'a.example', 'old.example']) known.saw(agent, host);
    await known.flush();
    await known.flush();
    now += DAY_MS - 1;
    known.saw(agent, 'a.example');
    now += 1;
    known.saw(agent, 'a.example');
    await known.flush();
    expect(store.told).toEqual([[{ host: 'a.example', at: 5_000 }], [{ host: 'a.example', at: 5_000 + DAY_MS }]]);
  });

  test('stays known here when it cannot be written', async () => {
    const store = { ...storeOf(), touchHosts: () => Promise.reject(new Error('full')) };
    const known = new KnownHosts(store, () => 1_000);
    const knownHosts = await known.hostsOf('t', 'agent');
    known.saw({ tenant: 't', id: 'agent', knownHosts }, 'a.example');
    await expect(known.flush()).rejects.toThrow('full');
    expect(isNewHost(knownHosts, 'a.example', 1_000)).toBe(false);
    await known.flush();
  });
});
