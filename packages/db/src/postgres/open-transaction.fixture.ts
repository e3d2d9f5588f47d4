import { INSTANCE_SCOPE } from '../client.ts';
import { openPostgres } from './open-postgres.ts';

/** A node that stands still in the middle of a transaction: says `open` when it has written, and goes on when it is told to. */
const client = await openPostgres({ url: process.argv[2] ?? '', transactionMs: 60_000 });
const goesOn = new Promise<void>((resolve) => {
  process.once('message', () => resolve());
});
const ended = await client
  .transact(async (scope) => {
    await scope.kysely(INSTANCE_SCOPE).updateTable('instance').set({ revision: 99 }).execute();
    process.send?.('open');
    await goesOn;
  })
  .then(
    () => 'committed',
    (error: unknown) => String((error as { code?: unknown }).code),
  );
process.send?.(ended);
await client.close();
process.disconnect();
