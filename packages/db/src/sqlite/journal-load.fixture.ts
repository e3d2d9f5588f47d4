import { writeSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { intentOf, outcomeOf } from '../conformance/journal-calls.ts';
import { createSqliteCallJournal } from './call-journal.ts';
import { openSqlite } from './open-sqlite.ts';

/**
 * A process to be killed: calls without end on the file it is given, and one line on stdout for each intent that it was told is
 * durable, written before anything else happens. A few calls take longer than terms of the lease.
 */
const [file = '', boot = ''] = process.argv.slice(2);
if (file === '' || boot === '') throw new Error('usage: journal-load.fixture.ts FILE BOOT');

const LEASE_MS = 60;
const LONG_CALL_MS = 100;
const CALLERS = 32;
const LONG_CALLERS = 4;

const client = await openSqlite({ file });
const journal = createSqliteCallJournal(client, { node: 'one', boot, now: Date.now, leaseMs: LEASE_MS });
say(`recovered ${await journal.recover()}`);

/** Writes one line before anything else happens; a pipe that is full is waited for. */
function say(line: string): void {
  for (;;) {
    try {
      writeSync(1, `${line}\n`);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

let calls = 0;
async function callWithoutEnd(_: unknown, caller: number): Promise<never> {
  for (;;) {
    const requestId = `${boot}-${calls++}`;
    await journal.commitIntent(intentOf(requestId));
    say(requestId);
    if (caller < LONG_CALLERS) await wait(LONG_CALL_MS);
    journal.recordOutcome(outcomeOf(requestId));
  }
}
await Promise.all(Array.from({ length: CALLERS }, callWithoutEnd));
