/**
 * The bare forwarder with a durable intent before each call and an outcome after it, by Postern's journal on SQLite, and nothing else of
 * Postern's but how it has V8 use memory: what remains of Postern when it only forwards and records.
 */
import { randomUUID } from 'node:crypto';
import { prepareMemory } from '@postern/app-gateway/prepare-memory';
import { letYoungHeapGrow } from '@postern/app-gateway/young-heap';
import { createSqliteCallJournal, openSqlite } from '@postern/db';
import { createRequestIds } from '@postern/gateway/request-id';
import { usualIntent } from '../usual-intent.ts';
import { serveForwarder } from './forwarder.ts';

prepareMemory();
const newRequestId = createRequestIds(Date.now);
const db = await openSqlite({ file: process.env['DATABASE_FILE'] ?? '' });
const journal = createSqliteCallJournal(db, { node: 'bench', boot: randomUUID(), now: Date.now });
await journal.recover();
letYoungHeapGrow();

serveForwarder({
  async begin() {
    const requestId = newRequestId();
    await journal.commitIntent(usualIntent(requestId));
    return requestId;
  },
  end(requestId) {
    journal.recordOutcome({ tenant: 'default', requestId, at: Date.now(), result: 'done', status: 200, latencyMs: 1 });
  },
});
