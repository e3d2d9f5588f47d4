export interface TakenStatement {
  readonly name: string;
  /** It must be parsed first. */
  readonly isNew: boolean;
  /** Names to be closed before: they make room. Closing what is not there is no error. */
  readonly over: readonly string[];
}

/** The statements that one connection has prepared. */
export interface PreparedStatements {
  /** The statement's name. The same text with parameters of other types is another statement. */
  take(sql: string, types: readonly number[]): TakenStatement;
  /** All that was asked for since the last answer was done. */
  succeeded(): void;
  /** An error came first: what of it was done nobody knows. */
  failed(): void;
}

/** A plan with row security takes some 30 KB of the server's memory, for each connection. */
const STATEMENTS_MAX = 256;

/** Remembers the statements used last, `max` of them. */
export function prepareStatements(max = STATEMENTS_MAX): PreparedStatements {
  const names = new Map<string, string>();
  /** Keys of those parsed, and names of those closed, since the last answer. */
  const parsed = new Set<string>();
  const closed = new Set<string>();
  let doubtful: string[] = [];
  let last = 0;

  /** What makes room, and what a failure has left. */
  function takeOver(): readonly string[] {
    const over = doubtful;
    doubtful = [];
    const [oldest] = names;
    if (names.size > max && oldest !== undefined) {
      names.delete(oldest[0]);
      over.push(oldest[1]);
    }
    for (const name of over) closed.add(name);
    return over;
  }

  return {
    take(sql, types) {
      const key = `${types.join(' ')} ${sql}`;
      const known = names.get(key);
      if (known !== undefined) {
        names.delete(key);
        names.set(key, known);
        return { name: known, isNew: false, over: [] };
      }
      last += 1;
      const name = `p${last}`;
      names.set(key, name);
      parsed.add(key);
      return { name, isNew: true, over: takeOver() };
    },
    succeeded() {
      if (parsed.size === 0) return;
      parsed.clear();
      closed.clear();
    },
    failed() {
      doubtful.push(...closed);
      for (const key of parsed) {
        const name = names.get(key);
        if (name !== undefined) doubtful.push(name);
        names.delete(key);
      }
      parsed.clear();
      closed.clear();
    },
  };
}
