/** What a command sees of the machine. Tests give their own. */
export interface CliContext {
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Relative paths of the command line are meant from here. */
  readonly workingFolder: string;
  /** Standard input; `undefined` when it is a terminal. */
  readonly input: AsyncIterable<Uint8Array> | undefined;
  /** Asks the person at the terminal without echo; `undefined` without a terminal. */
  readonly askHidden: ((prompt: string) => Promise<string>) | undefined;
  /** Columns of the terminal that results go to; `undefined` when they go to a file or another program. */
  readonly columns: number | undefined;
  /** Results: standard output. */
  readonly write: (text: string) => void;
  /** Everything that is not a result: standard error. */
  readonly note: (text: string) => void;
  /**
   * For commands that go on until somebody ends them: from the first call on, an interrupt (Ctrl-C) aborts the signal and no longer ends
   * the program. Absent: nothing interrupts.
   */
  readonly interrupt?: () => AbortSignal;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}
