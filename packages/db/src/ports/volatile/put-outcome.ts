/** `skipped_stale`: what is there is of a later time, and stays. */
export type PutOutcome = 'applied' | 'skipped_stale';
