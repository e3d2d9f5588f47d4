/** The statuses of what is refused before anything is sent. */
const STATUSES = {
  target_invalid: 400,
  address_forbidden: 403,
  request_too_large: 413,
  resolve_failed: 502,
} as const;

export type ProxyRefusalCode = keyof typeof STATUSES;

/** A request that was not sent, for a reason of its own or of its target's address. `message` is a diagnostic for the log. */
export class ProxyRefusal extends Error {
  override readonly name = 'ProxyRefusal';
  readonly code: ProxyRefusalCode;

  constructor(code: ProxyRefusalCode, detail: string) {
    super(detail);
    this.code = code;
  }

  get status(): number {
    return STATUSES[this.code];
  }
}
