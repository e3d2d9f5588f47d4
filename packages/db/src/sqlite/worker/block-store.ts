import type { StatementSync } from 'node:sqlite';
import { packWords } from '../../audit-terms.ts';
import type { NotedBlock } from '../../journal/block-notes.ts';
import type { Connection } from './connection.ts';

/** Summaries of blocks, in the transaction that is open on the connection. Whoever has summarised a block before has said the same. */
export class SqliteBlockStore {
  readonly #insertTerms: StatementSync;
  readonly #insertBlock: StatementSync;

  constructor(connection: Connection) {
    this.#insertTerms = connection.prepare(
      'insert into audit_block_terms (log, block, field, terms) values (?, ?, ?, ?) on conflict do nothing',
    );
    this.#insertBlock = connection.prepare(
      'insert into audit_blocks (log, block, at_min, at_max) values (?, ?, ?, ?) on conflict do nothing',
    );
  }

  insert({ log, block, times, terms }: NotedBlock): void {
    for (const [field, words] of terms.entries()) this.#insertTerms.run(log, block, field, packWords(words));
    this.#insertBlock.run(log, block, times.min, times.max);
  }
}
