/** What is refused before anything is sent. `retryable`: the identical call may succeed later by itself. */
const REFUSALS = {
  target_invalid: { status: 400, retryable: false },
  address_forbidden: { status: 403, retryable: false },
  request_too_large: { status: 413, retryable: false },
  resolve_failed: { status: 502, retryable: true },
} as const;

export type ProxyRefusalCode = keyof typeof REFUSALS;

/** A request that was not sent, for a reason of its own or of its target's address. `message` is a diagnostic for the log. */
export class ProxyRefusal extends Error {
  override readonly name = 'ProxyRefusal';
  readonly code: ProxyRefusalCode;

  constructor(code: ProxyRefusalCode, detail: string) {
    super(detail);
    this.code = code;
  }

  get status(): number {
    return REFUSALS[this.code].status;
  }

  get retryable(): boolean {
    return REFUSALS[this.code].retryable;
  }
}
