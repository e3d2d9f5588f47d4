/** A call is an HTTP call, a tool call or a device command; all stages treat them alike. */
export type CallKind = 'http' | 'tool' | 'device';

export type Outcome = 'allow' | 'deny' | 'require_approval';
