import type { JournalAnswer, JournalBatch, WireError } from '../../journal/batch.ts';
import { CallBook } from '../../journal/call-book.ts';
import { EntryRows } from '../../journal/entry-rows.ts';
import type { HeldLease, LeaseHolder } from '../../journal/lease.ts';
import { type Asking, findAbandoned, type RecoveryStep, recoverSome } from '../../journal/recovery.ts';
import { DbError } from '../../ports/db-error.ts';
import type { Answer, Statement } from '../statement-batch.ts';
import { plain } from '../tenant-statements.ts';
import { LOCK_TOGETHER } from '../write-lock.ts';
import { isPlain, type Names, namesOf, namesOfTenants } from './batch-names.ts';
import { type Doubt, InDoubt, shifted, wasCommitted } from './doubt.ts';
import type { AssumedLease } from './entry-list.ts';
import { BEGIN, findLogs, loadRows, locksOf } from './load-rows.ts';
import type { LoadedRows } from './loaded-rows.ts';
import type { Session } from './session.ts';
import { isAboutRecord, isCollision, isRefusal, toWireError } from './wire-error.ts';

const COMMIT = plain('commit');
const [SAVE, BACK, RELEASE] = [plain('savepoint record'), plain('rollback to record'), plain('release record')];
/** How many rows with many are joined whatever the planner believes; its statistics are those of tables that are empty mostly. */
const FOR_MANY_ROWS = [plain('set local enable_nestloop = off'), plain('set local enable_hashjoin = on')];
const FOR_FEW_ROWS = [plain('set local enable_nestloop = on'), plain('set local enable_hashjoin = off')];

/**
 * The journal inside its worker: its transactions, each of two round trips. The first begins, locks and reads what the records are about;
 * then they are looked at in memory, by the `CallBook`; the second writes and commits. Where only entries are written it is one: what
 * would have been read is taken to be as this journal has left it, and the insert is made on that condition. One operation at a time.
 *
 * When the connection breaks after a commit was sent, the transaction is in doubt: nothing else is done until it is known what became of
 * it (`doubt.ts`).
 */
export class PostgresJournal {
  readonly #session: Session;
  readonly #holder: LeaseHolder;
  readonly #rows: LoadedRows;
  readonly #entries: EntryRows;
  readonly #book: CallBook;
  #doubt: Doubt | undefined;
  /** What became of a batch that was in doubt, for whoever has asked to write it. */
  #fate: JournalAnswer | undefined;

  constructor(session: Session, rows: LoadedRows, holder: LeaseHolder) {
    this.#session = session;
    this.#holder = holder;
    this.#rows = rows;
    this.#entries = new EntryRows(rows.entries);
    this.#book = new CallBook(rows, this.#entries, holder);
  }

  /** Stores the batch in one commit. Rejects when nothing of it is stored; an empty one asks for the fate of the one before. */
  async write(batch: JournalBatch): Promise<JournalAnswer> {
    await this.#prepare();
    if (batch.drafts.length === 0) return this.#tellFate();
    try {
      const answer = await this.#store(batch);
      this.#book.wrote(batch.drafts.length);
      return answer;
    } catch (error) {
      if (error instanceof InDoubt) return { refused: [], doubt: error.message };
      throw error;
    }
  }

  /** Leases of boots that are over. */
  async findAbandoned(now: number): Promise<readonly number[]> {
    await this.#prepare();
    return this.#ask(findAbandoned(this.#holder, now, this.#book.lease));
  }

  /** Closes some of what is open under such a lease. */
  async recoverSome(lease: number, now: number): Promise<RecoveryStep> {
    await this.#prepare();
    try {
      await this.#session.run(BEGIN);
      const step = await this.#ask(recoverSome(this.#holder, now, lease));
      await this.#closeAbandoned(step, now);
      return step;
    } catch (error) {
      if (!(error instanceof InDoubt)) await this.#rollBack();
      throw error;
    }
  }

  /** Keeps the lease while calls are open; without any it is given up. */
  async renew(now: number): Promise<void> {
    await this.#prepare();
    if (!this.#book.mustKeepLease(now)) return;
    await this.#inTransaction(namesOfTenants([]), () => this.#book.keepLease(now));
  }

  async close(): Promise<void> {
    await this.#prepare();
    if (this.#book.lease > 0) await this.#inTransaction(namesOfTenants([]), () => this.#book.giveUpLease());
  }

  /** There is a connection, and no doubt. */
  async #prepare(): Promise<void> {
    await this.#session.connect();
    if (this.#doubt !== undefined) await this.#resolve(this.#doubt);
  }

  async #store(batch: JournalBatch): Promise<JournalAnswer> {
    const names = namesOf(batch, this.#book);
    await findLogs(this.#session, this.#rows, names.tenants);
    const storeAll = () => this.#inTransaction(names, () => this.#book.storeAll(batch));
    try {
      return (await this.#storeAssuming(batch, names)) ?? (await storeAll());
    } catch (error) {
      if (isCollision(error)) return storeAll();
      if (error instanceof InDoubt || !isAboutRecord(error)) throw error;
      // One record cannot be stored. Its neighbours can.
      return this.#storeEach(batch, names);
    }
  }

  /** In one round trip. undefined: something is not as was assumed, or more than entries is to be written; nothing is stored. */
  async #storeAssuming(batch: JournalBatch, names: Names): Promise<JournalAnswer | undefined> {
    const { entries, leases } = this.#rows;
    const held = this.#book.heldLease;
    if (held === undefined || this.#book.isLeaseDue(batch)) return undefined;
    if (!isPlain(names) || !entries.mayAssume(names.tenants)) return undefined;
    this.#rows.begin();
    leases.assume();
    let isStored = false;
    try {
      this.#book.noticeOthers();
      const answer = this.#book.storeAll(batch);
      if (!this.#rows.hasOnlyEntries) return undefined;
      isStored = await this.#insertAssuming(answer, held);
      return isStored ? answer : undefined;
    } finally {
      if (!isStored && this.#doubt === undefined) this.#book.rolledBack();
    }
  }

  async #insertAssuming(answer: JournalAnswer, held: HeldLease): Promise<boolean> {
    const { entries } = this.#rows;
    const assumed = { ...held, boot: this.#holder.boot };
    const statements = [plain(LOCK_TOGETHER), ...locksOf(entries.logs, held.lease), entries.changesAssuming(assumed)];
    const answers = await this.#runToCommit(statements, answer, assumed);
    if (answers.at(-1)?.changes === 0) {
      entries.doNotAssume();
      return false;
    }
    this.#committed();
    return true;
  }

  async #inTransaction<T>(names: Names, operation: () => T): Promise<T> {
    try {
      await loadRows(this.#session, this.#rows, { names, lease: this.#book.lease });
      this.#book.noticeOthers();
      const result = operation();
      await this.#commit(result as JournalAnswer | undefined);
      return result;
    } catch (error) {
      if (!(error instanceof InDoubt)) await this.#rollBack();
      throw error;
    }
  }

  /** As `storeAll` in a transaction, with a savepoint for each record. */
  async #storeEach(batch: JournalBatch, names: Names): Promise<JournalAnswer> {
    try {
      await loadRows(this.#session, this.#rows, { names, lease: this.#book.lease });
      this.#book.noticeOthers();
      const storing = this.#book.storeEach(batch);
      let next = storing.next();
      // The lease, which the records name.
      await this.#session.run(this.#rows.changes());
      this.#rows.stored();
      while (!next.done) next = storing.next(await this.#tryToStore(next.value));
      await this.#commit(next.value);
      return next.value;
    } catch (error) {
      if (!(error instanceof InDoubt)) await this.#rollBack();
      throw error;
    }
  }

  /** Returns the error when the record is at fault, throws it when the engine is. */
  async #tryToStore(store: () => void): Promise<WireError | undefined> {
    const undo = this.#rows.mark();
    let isSent = false;
    try {
      store();
      const changes = this.#rows.changes();
      isSent = true;
      await this.#session.run([SAVE, ...changes, RELEASE]);
      this.#rows.stored();
      return undefined;
    } catch (error) {
      if (!isRefusal(error) || !isAboutRecord(error)) throw error;
      this.#entries.forget();
      undo();
      if (isSent) await this.#session.run([BACK, RELEASE]);
      return toWireError(error);
    }
  }
  async #commit(answer: JournalAnswer | undefined): Promise<void> {
    const answers = await this.#runToCommit([...this.#rows.changes(), COMMIT], answer);
    // So the server answers when something failed that nobody told us of.
    if (answers.at(-1)?.command !== 'COMMIT') throw new DbError('unavailable', 'PostgreSQL: the batch was rolled back');
    this.#committed();
  }

  /** With these statements the transaction is committed, or it fails; `assumed` when it consists of them. */
  async #runToCommit(
    statements: readonly Statement[],
    answer: JournalAnswer | undefined,
    assumed?: AssumedLease,
  ): Promise<readonly Answer[]> {
    try {
      return await this.#session.run(statements);
    } catch (error) {
      if (isRefusal(error)) throw error;
      this.#session.discard();
      const changed = this.#book.changedLease();
      const lease = changed && { ...changed, number: changed.to?.lease ?? this.#book.lease };
      this.#doubt = { first: this.#rows.entries.first, lease, assumed, answer };
      throw new InDoubt(`the connection broke during a commit (${toWireError(error).message})`);
    }
  }

  #committed(): void {
    this.#book.committed();
    this.#rows.stored();
  }

  async #rollBack(): Promise<void> {
    this.#book.rolledBack();
    if (!this.#session.isConnected) return;
    await this.#session.run([plain('rollback')]).catch(() => this.#session.discard());
  }

  async #resolve(doubt: Doubt): Promise<void> {
    const wasStored = await wasCommitted(this.#session, doubt);
    if (wasStored) this.#committed();
    else this.#book.rolledBack();
    if (doubt.assumed !== undefined) this.#book.leaseIs(shifted(doubt.assumed));
    this.#doubt = undefined;
    if (doubt.answer !== undefined) this.#fate = { refused: doubt.answer.refused, wasStored };
  }

  #tellFate(): JournalAnswer {
    const fate = this.#fate ?? { refused: [], wasStored: false };
    this.#fate = undefined;
    return fate;
  }

  async #closeAbandoned({ intents }: RecoveryStep, now: number): Promise<void> {
    this.#rows.begin();
    if (intents.length > 0) {
      const names = namesOfTenants(intents.map(({ tenant }) => tenant));
      await findLogs(this.#session, this.#rows, names.tenants);
      const abandoned = intents.map(({ requestId }) => requestId);
      await loadRows(this.#session, this.#rows, { names, lease: 0, abandoned });
    }
    // The calls are another boot's: this one's lease has nothing to do with them.
    this.#rows.leases.assume();
    this.#book.noticeOthers();
    this.#book.closeAbandoned(intents, now);
    await this.#commit(undefined);
  }

  async #ask<Result>(asking: Asking<Result>): Promise<Result> {
    let next = asking.next([]);
    while (!next.done) {
      const { sql, values, isBulky } = next.value;
      const statement = { sql: numberParameters(sql), parameters: values };
      const answers = await this.#session.run(
        isBulky === true ? [...FOR_MANY_ROWS, statement, ...FOR_FEW_ROWS] : [statement],
      );
      next = asking.next(answers[isBulky === true ? FOR_MANY_ROWS.length : 0]?.rows ?? []);
    }
    return next.value;
  }
}

function numberParameters(sql: string): string {
  let count = 0;
  return sql.replaceAll('?', () => {
    count += 1;
    return `$${count}`;
  });
}
