import { writeSync } from 'node:fs';
import { intentOf, outcomeOf } from '../conformance/journal-calls.ts';
import { createSqliteCallJournal } from './call-journal.ts';
import { openSqlite } from './open-sqlite.ts';

/**
 * A process to be killed: calls without end on the file it is given, and one line on stdout for each intent that it was told is
 * durable, written before anything else happens.
 */
const [file = '', boot = ''] = process.argv.slice(2);
if (file === '' || boot === '') throw new Error('usage: journal-load.fixture.ts FILE BOOT');

const client = await openSqlite({ file });
const journal = createSqliteCallJournal(client, { node: 'one', boot, now: Date.now });
writeSync(1, `recovered ${await journal.recover()}\n`);

let calls = 0;
async function callWithoutEnd(): Promise<never> {
  for (;;) {
    const requestId = `${boot}-${calls++}`;
    await journal.commitIntent(intentOf(requestId));
    writeSync(1, `${requestId}\n`);
    journal.recordOutcome(outcomeOf(requestId));
  }
}
await Promise.all(Array.from({ length: 32 }, callWithoutEnd));
