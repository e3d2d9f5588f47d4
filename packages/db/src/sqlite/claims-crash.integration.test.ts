import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '@postern/testing';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { INSTANCE_SCOPE } from '../client.ts';
import { GRANTED_USES, sealedOf } from '../conformance/held-calls.ts';
import { countOutcomes, readLog } from '../conformance/journal-calls.ts';
import { makeSqliteHarness } from './sqlite-harness.fixture.ts';

const LOAD = fileURLToPath(new URL('claims-load.fixture.ts', import.meta.url));

interface Seen {
  /** Request ids that were about to send, by key, in their order. */
  readonly sent: Map<string, string[]>;
  /** Keys whose answer was durable, with the call that it is of. */
  readonly settled: Map<string, string>;
}

/** Runs the load and kills it after so many lines; remembers all it said. */
async function loadAndKill(file: string, boot: string, { lines, seen }: { lines: number; seen: Seen }): Promise<void> {
  const child = spawn(process.execPath, [LOAD, file, boot], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  let read = 0;
  for await (const line of createInterface({ input: child.stdout })) {
    const [what = '', key = '', requestId = '', found, state] = line.split(' ');
    if (what === 'sent') seen.sent.set(key, [...(seen.sent.get(key) ?? []), requestId]);
    if (what === 'settled') {
      expect([found, state]).toEqual([requestId, 'succeeded']);
      seen.settled.set(key, requestId);
    }
    read += 1;
    if (read === lines) child.kill('SIGKILL');
  }
  const [, signal] = await exited;
  expect(signal).toBe('SIGKILL');
}

test('after kill -9 at any time no key was given to two calls, no answer is lost, and nothing is left dispatching', async () => {
  await using folder = await temporaryFolder();
  const file = path.join(folder.path, 'postern.db');
  const seen: Seen = { sent: new Map(), settled: new Map() };
  for (const [index, lines] of [2, 3, 5, 40, 150, 600, 1_500].entries()) {
    await loadAndKill(file, `boot-${index}`, { lines, seen });
  }
  const harness = await makeSqliteHarness(folder.path);
  try {
    harness.clock.nowMs = Date.now();
    const journal = await harness.openJournal({ node: 'one', boot: 'after' });
    await journal.recover();
    expect(await journal.recover()).toBe(0);
    const log = await readLog(harness.repositories);
    expect([...countOutcomes(log)].filter(([, count]) => count !== 1)).toEqual([]);
    const results = new Map(
      log.filter(({ type }) => type === 'outcome').map(({ requestId, result }) => [requestId, result]),
    );
    let unknown = 0;
    for (const [key, requestIds] of seen.sent) {
      // All but the last provably sent nothing: only then may the key have been taken again.
      expect(requestIds.slice(0, -1).filter((requestId) => results.get(requestId) !== 'not_sent')).toEqual([]);
      const scope = { tenant: 'acme', agent: 'coder', integration: 'github', key };
      const claim = await harness.repositories.claims.find(scope, harness.clock.nowMs);
      expect(['succeeded', 'failed_not_sent', 'unknown']).toContain(claim?.state);
      if (claim?.state === 'unknown') unknown += 1;
      if (claim?.state === 'succeeded') {
        expect(Buffer.from(claim.answer?.sealed ?? []).equals(sealedOf(claim.requestId ?? ''))).toBe(true);
      }
      const settled = seen.settled.get(key);
      if (settled !== undefined) expect(claim).toMatchObject({ state: 'succeeded', requestId: settled });
    }
    // What is left of each grant is what the log says: every use but those that provably sent nothing.
    const uses = new Map<string, number>();
    for (const { type, grant, result } of log) {
      if (grant === undefined || (type !== 'intent' && result !== 'not_sent')) continue;
      if (type === 'intent') uses.set(grant, (uses.get(grant) ?? 0) + 1);
      if (type === 'outcome') uses.set(grant, (uses.get(grant) ?? 0) - 1);
    }
    const { items: grants } = await harness.repositories.grants.list(
      'acme',
      {},
      { limit: 100, nowMs: harness.clock.nowMs },
    );
    expect(Math.max(...uses.values())).toBeGreaterThan(10);
    for (const { id, usesLeft } of grants) expect(usesLeft).toBe(GRANTED_USES - (uses.get(id) ?? 0));
    const { items: approvals } = await harness.repositories.approvals.list(
      'acme',
      {},
      { limit: 100, nowMs: harness.clock.nowMs },
    );
    expect(approvals.filter(({ status }) => status === 'executing')).toEqual([]);
    expect(seen.settled.size).toBeGreaterThan(10);
    expect(unknown).toBeGreaterThan(0);
    const orphans =
      await sql`select answer from stored_answers where answer not in (select answer from claims where answer is not null)`.execute(
        harness.client.points(INSTANCE_SCOPE),
      );
    expect(orphans.rows).toEqual([]);
    const check = await sql`pragma integrity_check`.execute(harness.client.points(INSTANCE_SCOPE));
    expect(check.rows).toEqual([{ integrity_check: 'ok' }]);
  } finally {
    await harness.close();
  }
});
