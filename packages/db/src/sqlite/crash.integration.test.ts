import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { temporaryFolder } from '@postern/testing';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { INSTANCE_SCOPE } from '../client.ts';
import { countOutcomes, readLog } from '../conformance/journal-calls.ts';
import { makeSqliteHarness } from './sqlite-harness.fixture.ts';

const LOAD = fileURLToPath(new URL('journal-load.fixture.ts', import.meta.url));

/** Runs the load and kills it after so many intents were acknowledged; returns those. */
async function loadAndKill(file: string, boot: string, intents: number): Promise<string[]> {
  const child = spawn(process.execPath, [LOAD, file, boot], { stdio: ['ignore', 'pipe', 'inherit'] });
  const acknowledged: string[] = [];
  const exited = once(child, 'exit');
  for await (const line of createInterface({ input: child.stdout })) {
    if (line.startsWith(`${boot}-`)) acknowledged.push(line);
    if (acknowledged.length === intents) child.kill('SIGKILL');
  }
  const [, signal] = await exited;
  expect(signal).toBe('SIGKILL');
  expect(acknowledged.length).toBeGreaterThanOrEqual(intents);
  return acknowledged;
}

test('after kill -9 under load every acknowledged intent is there, and each intent is closed exactly once', async () => {
  await using folder = await temporaryFolder();
  const file = path.join(folder.path, 'postern.db');
  const acknowledged: string[] = [];
  for (const [boot, intents] of [
    ['a', 1],
    ['b', 500],
    ['c', 8_000],
  ] as const) {
    acknowledged.push(...(await loadAndKill(file, boot, intents)));
  }
  const harness = await makeSqliteHarness(folder.path);
  try {
    const journal = await harness.openJournal({ node: 'one', boot: 'after' });
    expect(await journal.recover()).toBeGreaterThan(0);
    expect(await journal.recover()).toBe(0);
    const log = await readLog(harness.repositories);
    const outcomes = countOutcomes(log);
    expect(acknowledged.filter((requestId) => !outcomes.has(requestId))).toEqual([]);
    expect([...outcomes].filter(([, count]) => count !== 1)).toEqual([]);
    const unknown = log.filter((entry) => entry.result === 'unknown').length;
    // Three kills, each with at most 32 calls open.
    expect(unknown).toBeGreaterThan(0);
    expect(unknown).toBeLessThanOrEqual(3 * 64);
    const check = await sql`pragma integrity_check`.execute(harness.client.points(INSTANCE_SCOPE));
    expect(check.rows).toEqual([{ integrity_check: 'ok' }]);
  } finally {
    await harness.close();
  }
});
