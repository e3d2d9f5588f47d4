import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Entry } from '@postern/schemas';
import { startPostgresServer } from '@postern/testing';
import { expect, test, vi } from 'vitest';
import { INSTANCE_SCOPE } from '../client.ts';
import { countOutcomes, readLog } from '../conformance/journal-calls.ts';
import { createDbRepositories } from '../repositories/create-db-repositories.ts';
import { createPostgresCallJournal } from './call-journal.ts';
import { openPostgres } from './open-postgres.ts';
import { makeTestDatabase } from './postgres-harness.fixture.ts';

/** `NODES_ROUNDS=20` for the long form. */
const ROUNDS = Number(process.env['NODES_ROUNDS'] ?? 1);
const LOAD = fileURLToPath(new URL('journal-load.fixture.ts', import.meta.url));

interface Nodes {
  readonly process: ChildProcess;
  readonly boot: string;
  /** What it said: how often, by the first word of each line. */
  readonly said: Map<string, number>;
  /** Resolves once it has said so many more lines that begin so. */
  more(word: string, count: number): Promise<void>;
  kill(): Promise<void>;
}

/** Two nodes in a process; their intents join `acknowledged`. */
function startNodes(url: string, boot: string, acknowledged: Set<string>): Nodes {
  const child = spawn(process.execPath, [LOAD, url, boot], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  const said = new Map<string, number>();
  const waiting: { word: string; until: number; resolve: () => void }[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [word = '', requestId = ''] = line.split(' ');
    if (word === 'sent') acknowledged.add(requestId);
    said.set(word, (said.get(word) ?? 0) + 1);
    for (const each of waiting) if (each.word === word && (said.get(word) ?? 0) >= each.until) each.resolve();
  });
  return {
    process: child,
    boot,
    said,
    more: (word, count) =>
      new Promise((resolve) => void waiting.push({ word, until: (said.get(word) ?? 0) + count, resolve })),
    async kill() {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Of each key that was dispatched again all dispatches but the last have provably sent nothing. Returns how often one was. */
function expectNothingSentTwice(log: readonly Entry[]): number {
  const results = new Map(
    log.flatMap(({ type, requestId = '', result }) => (type === 'outcome' ? [[requestId, result]] : [])),
  );
  const byKey = Map.groupBy(
    log.filter(({ type, requestId = '' }) => type === 'intent' && !requestId.endsWith('/')),
    ({ tenant, requestId = '' }) => `${tenant} ${requestId.split('/')[1]}`,
  );
  let again = 0;
  for (const intents of byKey.values()) {
    const earlier = intents.slice(0, -1).map(({ requestId = '' }) => results.get(requestId));
    expect(earlier.filter((result) => result !== 'not_sent')).toEqual([]);
    again += earlier.length;
  }
  return again;
}

test(
  'four nodes with sixty-four callers, killed, stopped past their leases and with a server that crashes, number without fork or gap, close each intent once and send nothing twice',
  async () => {
    await using server = await startPostgresServer({ durable: true });
    const database = await makeTestDatabase(server.url);
    const acknowledged = new Set<string>();
    let [a, b] = ['a-0', 'b-0'].map((boot) => startNodes(database.url, boot, acknowledged)) as [Nodes, Nodes];
    try {
      await Promise.all([a.more('sent', 150), b.more('sent', 150)]);
      // Among themselves they get along: nobody waits too long, and nobody waits for one who waits for him.
      expect([a, b].map(({ said }) => said.get('refused'))).toEqual([undefined, undefined]);
      for (let round = 1; round <= ROUNDS; round += 1) {
        // One process stands still past its leases: the other closes its calls, and goes on beside it.
        const recovered = b.more('recovered', 1);
        a.process.kill('SIGSTOP');
        await Promise.all([recovered, b.more('sent', 60)]);
        const goingOn = Promise.all([a.more('sent', 60), b.more('sent', 60)]);
        a.process.kill('SIGCONT');
        await goingOn;
        // One is killed, and starts again.
        await b.kill();
        b = startNodes(database.url, `${b.boot[0]}-${round}`, acknowledged);
        await Promise.all([a.more('sent', 60), b.more('sent', 60)]);
        // The server crashes. Its processes are gone when the system has got so far.
        await server.stopHard();
        await vi.waitFor(() => server.restart(), { timeout: 10_000, interval: 100 });
        await Promise.all([a.more('sent', 60), b.more('sent', 60)]);
        [a, b] = [b, a];
      }
    } finally {
      await Promise.all([a.kill(), b.kill()]);
    }
    const client = await openPostgres({ url: database.url });
    const later = Date.now() + 60_000;
    const journal = createPostgresCallJournal(client, { node: 'after', boot: 'after', now: () => later });
    const repositories = createDbRepositories(client, { now: () => later, newId: () => '' });
    try {
      expect(await journal.recover()).toBeGreaterThan(0);
      expect(await journal.recover()).toBe(0);
      const logs = await Promise.all(['acme', 'beta'].map((tenant) => readLog(repositories, tenant)));
      const outcomes = countOutcomes(logs.flat());
      expect([...acknowledged].filter((requestId) => !outcomes.has(requestId))).toEqual([]);
      expect([...outcomes].filter(([, count]) => count !== 1)).toEqual([]);
      const again = logs.map(expectNothingSentTwice);
      expect(Math.max(...again)).toBeGreaterThan(10);
      const leases = await client.points(INSTANCE_SCOPE).selectFrom('node_leases').selectAll().execute();
      expect(leases).toEqual([]);
      const dispatching = client
        .points(INSTANCE_SCOPE)
        .selectFrom('claims')
        .selectAll()
        .where('state', '=', 'dispatching');
      expect(await dispatching.execute()).toEqual([]);
    } finally {
      await client.close();
    }
  },
  60_000 * ROUNDS,
);
