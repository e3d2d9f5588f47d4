import type { Kysely } from 'kysely';
import type { DbClient, TenantScope, TransactionScope } from './client.ts';
import type { DbContext, Transaction } from './ports/context.ts';
import { DbError } from './ports/db-error.ts';
import type { Tables } from './tables.ts';

interface Held {
  readonly client: DbClient;
  readonly scope: TransactionScope;
  open: boolean;
}

/** The only way from the opaque object to what it stands for: an object that is not in here is foreign, whatever its form. */
const held = new WeakMap<Transaction, Held>();

/**
 * Runs `operation` in one write transaction: all or none. A transaction given in `context` is reused, never nested. Fails
 * `invalid` for a foreign or finished transaction, `unavailable` when it takes longer than 5 s (it is rolled back then).
 */
export async function runInTransaction<T>(
  dbClient: DbClient,
  operation: (context: DbContext) => Promise<T>,
  context?: DbContext,
): Promise<T> {
  if (scopeOf(dbClient, context) !== undefined) return operation(context as DbContext);
  return dbClient.transact(async (scope) => {
    const transaction: Transaction = Object.freeze({ transactionOf: 'postern' });
    const entry: Held = { client: dbClient, scope, open: true };
    held.set(transaction, entry);
    try {
      return await operation({ transaction });
    } finally {
      entry.open = false;
    }
  });
}

/** The scope of the transaction in `context`; undefined without one. Fails `invalid` for a foreign or finished one. */
export function scopeOf(dbClient: DbClient, context: DbContext | undefined): TransactionScope | undefined {
  const transaction = context?.transaction;
  if (transaction === undefined) return undefined;
  const entry = typeof transaction === 'object' && transaction !== null ? held.get(transaction) : undefined;
  if (entry === undefined || entry.client !== dbClient) {
    throw new DbError('invalid', 'the transaction was not made by runInTransaction of this database client');
  }
  if (!entry.open) throw new DbError('invalid', 'the transaction is over');
  return entry.scope;
}

/** As `scopeOf`, for what refuses to run outside a transaction. */
export function requireScope(dbClient: DbClient, context: DbContext, what: string): TransactionScope {
  const scope = scopeOf(dbClient, context);
  if (scope === undefined) throw new DbError('invalid', `${what} runs only inside a transaction`);
  return scope;
}

/** Runs what must stand or fall together: in the caller's transaction when there is one, else in one of its own. */
export function inOneTransaction<T>(
  dbClient: DbClient,
  context: DbContext | undefined,
  operation: (scope: TransactionScope) => Promise<T>,
): Promise<T> {
  return runInTransaction(dbClient, (inner) => operation(requireScope(dbClient, inner, 'this')), context);
}

/** For statements that change a tenant's rows: in the caller's transaction when there is one; likewise the next two, for reads. */
export function writesOf(dbClient: DbClient, context: DbContext | undefined, tenant: TenantScope): Kysely<Tables> {
  return scopeOf(dbClient, context)?.kysely(tenant) ?? dbClient.writes(tenant);
}

export function pointsOf(dbClient: DbClient, context: DbContext | undefined, tenant: TenantScope): Kysely<Tables> {
  return scopeOf(dbClient, context)?.kysely(tenant) ?? dbClient.points(tenant);
}

export function listsOf(dbClient: DbClient, context: DbContext | undefined, tenant: TenantScope): Kysely<Tables> {
  return scopeOf(dbClient, context)?.kysely(tenant) ?? dbClient.lists(tenant);
}
