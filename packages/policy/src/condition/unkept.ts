/**
 * Stands in recorded facts for a value that was redacted, cut or never kept. A condition that reads it has no value, and what the rule
 * would have done is undetermined.
 */
export const UNKEPT: unique symbol = Symbol.for('postern.unkept');

export type Unkept = typeof UNKEPT;
