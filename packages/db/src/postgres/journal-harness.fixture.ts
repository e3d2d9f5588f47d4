import { fileURLToPath } from 'node:url';
import type { DbClient } from '../client.ts';
import type { JournalHarness, JournalSettings } from '../conformance/harness.ts';
import { createPostgresCallJournal } from './call-journal.ts';
import { makePostgresHarness, type PostgresHarness } from './postgres-harness.fixture.ts';

/** Each journal starts a thread; with compiled code at hand, as the gateway has it, that takes half the time. */
process.env['NODE_COMPILE_CACHE'] ??= fileURLToPath(
  new URL('../../../../node_modules/.cache/postern', import.meta.url),
);

/** As `makePostgresHarness`, with journals; each has a connection of its own, as another node has it. */
export async function makePostgresJournalHarness(serverUrl?: string): Promise<PostgresHarness & JournalHarness> {
  const harness = await makePostgresHarness(serverUrl);
  let journals = 0;
  let client: DbClient | undefined;
  async function openJournal(settings: JournalSettings = {}) {
    journals += 1;
    client ??= await harness.connectAgain();
    const now = () => harness.clock.nowMs;
    return createPostgresCallJournal(client, { node: 'node-1', boot: `boot-of-${journals}`, now, ...settings });
  }
  return { ...harness, openJournal };
}
