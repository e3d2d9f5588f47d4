/** What the doctor says of one thing. Only `broken` makes the command fail. */
export interface Finding {
  readonly status: 'ok' | 'warning' | 'broken';
  /** What was looked at: `agent coder`. */
  readonly about: string;
  readonly message: string;
  /** What to do about it. */
  readonly remedy?: string;
}

export function ok(about: string, message: string): Finding {
  return { status: 'ok', about, message };
}

export function warning(about: string, message: string, remedy: string): Finding {
  return { status: 'warning', about, message, remedy };
}

export function broken(about: string, message: string, remedy: string): Finding {
  return { status: 'broken', about, message, remedy };
}
