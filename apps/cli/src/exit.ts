/** Exit codes that scripts rely on. */
export const EXIT = { done: 0, failed: 1, misused: 2 } as const;

/** The command was used wrongly: exit code 2. The message says what would be right. */
export class Misuse extends Error {
  override readonly name = 'Misuse';
}

/** The command could not do what it should: exit code 1. `lines` follow the message, indented. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly lines: readonly string[];

  constructor(message: string, lines: readonly string[] = [], options: { readonly cause?: unknown } = {}) {
    super(message, options);
    this.lines = lines;
  }
}
