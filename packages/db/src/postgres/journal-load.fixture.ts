import { randomInt } from 'node:crypto';
import { writeSync } from 'node:fs';
import { takeOf } from '../conformance/held-calls.ts';
import { intentOf, outcomeOf } from '../conformance/journal-calls.ts';
import { type CallJournal, IntentRefused } from '../ports/call-journal.ts';
import { createPostgresCallJournal } from './call-journal.ts';
import { openPostgres } from './open-postgres.ts';

/**
 * A process to be killed and stopped: two nodes on one database, and callers without end, some of which fight for keys with all others.
 * One line on stdout for each intent that it was told is durable, written before anything else happens. A request id ends with the key
 * that its call takes.
 */
const [url = '', boot = ''] = process.argv.slice(2);
if (url === '' || boot === '') throw new Error('usage: journal-load.fixture.ts URL BOOT');

const LEASE_MS = 1_000;
const RECOVERY_MS = 200;
const CALLERS = 16;
/** Keys in use at once, and how long: each is fought for, and then left as it is. */
const KEYS = 4;
const KEY_MS = 400;

const now = Date.now;
const client = await openPostgres({ url });
const journals = ['one', 'two'].map((node) =>
  createPostgresCallJournal(client, { node: `${boot[0]}-${node}`, boot: `${boot}-${node}`, now, leaseMs: LEASE_MS }),
);
for (const journal of journals) await journal.recover();
say('ready');

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
async function callWithoutEnd(journal: CallJournal, caller: number): Promise<never> {
  for (;;) {
    const key = caller % 2 === 0 ? undefined : `${Math.floor(now() / KEY_MS)}.${randomInt(KEYS)}`;
    const requestId = `${boot}-${calls++}/${key ?? ''}`;
    const tenant = caller % 8 === 0 ? 'beta' : 'acme';
    try {
      const claim = key === undefined ? undefined : takeOf(key, { expiresAt: now() + 86_400_000 });
      await journal.commitIntent(intentOf(requestId, { tenant }), claim === undefined ? undefined : { claim });
    } catch (error) {
      // Another has the key; or the database cannot be reached, which is tried again.
      if (!(error instanceof IntentRefused)) say(`refused ${(error as Error).message}`);
      await new Promise((resolve) => setTimeout(resolve, 2));
      continue;
    }
    say(`sent ${requestId}`);
    await new Promise((resolve) => setTimeout(resolve, randomInt(20)));
    const isSent = randomInt(2) === 0;
    journal.recordOutcome(
      outcomeOf(requestId, { tenant, result: isSent ? 'done' : 'not_sent' }),
      key === undefined ? undefined : { claim: settlementOf(isSent) },
    );
  }
}

function settlementOf(isSent: boolean) {
  return isSent ? ({ to: 'succeeded', sealed: new Uint8Array(500) } as const) : ({ to: 'failed_not_sent' } as const);
}

setInterval(() => {
  for (const journal of journals) {
    journal.recover().then(
      (count) => count > 0 && say(`recovered ${count}`),
      () => undefined,
    );
  }
}, RECOVERY_MS);
await Promise.all(
  journals.flatMap((journal) => Array.from({ length: CALLERS }, (_, caller) => callWithoutEnd(journal, caller))),
);
