/**
 * What orders all writers of a database, whatever node they belong to: whoever changes what others must not see change under them takes
 * it alone, journals and single statements take it together. It is held until the transaction ends. ASCII of `POSTERN` as a number.
 */
const KEY = '22605217451561550';

/** For transactions, and writes of several statements. */
export const LOCK_ALONE = `select pg_advisory_xact_lock(${KEY})`;

/** For journals, whose order among themselves is that of their logs' rows, and for single statements. */
export const LOCK_TOGETHER = `select pg_advisory_xact_lock_shared(${KEY})`;
