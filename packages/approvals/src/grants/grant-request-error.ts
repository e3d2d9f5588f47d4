export type GrantRequestFault =
  /** No kind of grant, or a count or time that is none. */
  | 'invalid'
  /** Wider than the rule's `approval.grant`. */
  | 'wider_than_rule'
  /** Over the tenant's cap. */
  | 'over_cap'
  /** A standing grant for a call that has no scope: a tool call, a device command. */
  | 'no_scope';

/** `message` may be shown to the approver; `field` is a path in the body of `…/approve`. */
export class GrantRequestError extends Error {
  override readonly name = 'GrantRequestError';
  readonly fault: GrantRequestFault;
  readonly field: string;

  constructor(fault: GrantRequestFault, field: string, message: string) {
    super(message);
    this.fault = fault;
    this.field = field;
  }
}
