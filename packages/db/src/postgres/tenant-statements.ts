import { TENANT_SETTING } from './capabilities.ts';
import type { Statement } from './statement-batch.ts';
import { LOCK_TOGETHER } from './write-lock.ts';

const SET_TENANT = `set_config('${TENANT_SETTING}', $1, true)`;

/** Names the tenant for what follows in the same transaction, and for no other: `SET LOCAL` with a parameter. */
export function tenantOf(tenant: string): Statement {
  return { sql: `select ${SET_TENANT}`, parameters: [tenant], isSilent: true };
}

/** Likewise, and what follows can write nothing. */
export function tenantForReading(tenant: string): Statement {
  const sql = `select ${SET_TENANT}, set_config('transaction_read_only', 'on', true)`;
  return { sql, parameters: [tenant], isSilent: true };
}

/** Likewise, and what follows comes before or after each transaction and beside none. */
export function tenantForWriting(tenant: string): readonly Statement[] {
  return [plain(LOCK_TOGETHER), tenantOf(tenant)];
}

/** A statement without parameters whose answer is of no use. */
export function plain(sql: string): Statement {
  return { sql, parameters: [], isSilent: true };
}
