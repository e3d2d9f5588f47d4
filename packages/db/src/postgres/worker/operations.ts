import type { JournalOperation } from '../../journal/batch.ts';
import { unpackBatch } from '../../journal/pack-batch.ts';
import { DbError } from '../../ports/db-error.ts';
import { PostgresJournal } from './journal.ts';
import { LoadedRows } from './loaded-rows.ts';
import { Session } from './session.ts';

export type Operation = JournalOperation | { readonly op: 'close' };

/** One operation after the other, in their order; only recovery lets others in between its steps. */
export class Operations {
  readonly #session: Session;
  readonly #rows = new LoadedRows();
  #journal: PostgresJournal | undefined;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(url: string) {
    this.#session = new Session(url, () => this.#rows.entries.clear());
  }

  async perform(operation: Operation): Promise<unknown> {
    switch (operation.op) {
      case 'journal.open':
        this.#journal = new PostgresJournal(this.#session, this.#rows, operation);
        return undefined;
      case 'journal.write':
        return this.#alone((journal) => journal.write(unpackBatch(operation.batch)));
      case 'journal.recover':
        return this.#recover(operation.now);
      case 'journal.renew':
        return this.#alone((journal) => journal.renew(operation.now));
      case 'journal.close':
        return this.#alone((journal) => journal.close());
      case 'close':
        return this.#alone(() => this.#session.close());
    }
  }

  async #recover(now: number): Promise<number> {
    let total = 0;
    for (const lease of await this.#alone((journal) => journal.findAbandoned(now))) {
      for (let isDone = false; !isDone; ) {
        const step = await this.#alone((journal) => journal.recoverSome(lease, now));
        total += step.intents.length;
        isDone = step.isLast;
      }
    }
    return total;
  }

  #alone<T>(operation: (journal: PostgresJournal) => Promise<T>): Promise<T> {
    const journal = this.#journal;
    if (journal === undefined) return Promise.reject(new DbError('invalid', 'the journal is not open'));
    const running = this.#tail.then(() => operation(journal));
    this.#tail = running.catch(() => undefined);
    return running;
  }
}
