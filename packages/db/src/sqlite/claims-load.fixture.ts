import { randomUUID } from 'node:crypto';
import { writeSync } from 'node:fs';
import { approvalOf, GRANTED_USES, sealedOf, takeOf } from '../conformance/held-calls.ts';
import { intentOf, outcomeOf } from '../conformance/journal-calls.ts';
import { IntentRefused } from '../ports/call-journal.ts';
import { createDbRepositories } from '../repositories/create-db-repositories.ts';
import { createSqliteCallJournal } from './call-journal.ts';
import { openSqlite } from './open-sqlite.ts';

/**
 * A process to be killed: callers that fight for few keys without end, each with an answer of its own. It writes `sent {key} {fence}`
 * before it would send, and `settled {key} {fence} {state}` once that is durable, one line at a time before anything else happens.
 */
const [file = '', boot = ''] = process.argv.slice(2);
if (file === '' || boot === '') throw new Error('usage: claims-load.fixture.ts FILE BOOT');

const CALLERS = 16;
const KEYS = 6;
const CALLS_PER_ROUND = 90;
const now = Date.now;

const client = await openSqlite({ file });
const journal = createSqliteCallJournal(client, { node: 'one', boot, now, leaseMs: 60 });
const { approvals, claims } = createDbRepositories(client, { now, newId: randomUUID });
await journal.recover();
const grant = { id: await makeGrant() };
say('ready');

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

/** One for all calls of this process, which counts their uses. */
async function makeGrant(): Promise<string> {
  const { id } = await approvals.create(approvalOf({ fingerprint: boot }), now());
  const [at, expiresAt] = [now(), now() + 86_400_000];
  const terms = { kind: 'times', times: GRANTED_USES, expiresAt } as const;
  const decided = await approvals.transition('acme', id, {
    to: 'approved',
    by: 'bob',
    at,
    executeUntil: expiresAt,
    grant: terms,
  });
  return decided.grantId ?? '';
}

let calls = 0;
async function callWithoutEnd(): Promise<never> {
  for (;;) {
    const requestId = `${boot}-${calls++}`;
    // Each key gets many tries, whether it is taken or not.
    const key = `${boot}-${Math.floor(calls / CALLS_PER_ROUND)}-${calls % KEYS}`;
    const take = takeOf(key, { expiresAt: now() + 86_400_000, fingerprint: boot });
    const isGranted = calls % 2 === 0;
    try {
      const conditions = isGranted ? { claim: take, grant } : { claim: take };
      await journal.commitIntent(intentOf(requestId, { fingerprint: boot }), conditions);
    } catch (error) {
      if (!(error instanceof IntentRefused)) throw error;
      continue;
    }
    say(`sent ${key} ${requestId}`);
    await new Promise((resolve) => setImmediate(resolve));
    const to = calls % 3 === 0 ? ('failed_not_sent' as const) : ('succeeded' as const);
    const claim = to === 'succeeded' ? { to, sealed: sealedOf(requestId) } : { to };
    journal.recordOutcome(outcomeOf(requestId, { result: to === 'succeeded' ? 'done' : 'not_sent' }), { claim });
    await journal.settling(requestId);
    const found = await claims.find({ tenant: 'acme', agent: take.agent, integration: take.integration, key }, now());
    if (to === 'succeeded') say(`settled ${key} ${requestId} ${found?.requestId} ${found?.state}`);
  }
}
await Promise.all(Array.from({ length: CALLERS }, callWithoutEnd));
