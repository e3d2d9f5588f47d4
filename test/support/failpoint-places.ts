/**
 * Steps of a call at which the gateway can be made to die. Each is a function or a method of the program, as its own module exports it; the
 * program itself knows nothing of them.
 */
export interface FailpointPlace {
  /** Below the repository. */
  readonly module: string;
  readonly exported: string;
  /** Of a class: the method; absent: `exported` is a function. */
  readonly method?: string;
  readonly when: 'before' | 'after';
  /** Of a batch of the journal: only one that has a record of this kind. */
  readonly kind?: number;
}

const STAGES = 'packages/gateway/src/stages';
const WORKER = 'packages/db/src/sqlite/worker';
const REPOSITORIES = 'packages/db/src/repositories';

const lookUp = { module: `${STAGES}/look-up-claim.ts`, exported: 'lookUpClaim' };
const seal = { module: 'packages/gateway/src/approvals/stored-request.ts', exported: 'storeRequest' };
const approve = { module: 'packages/admin/src/approvals/decide.ts', exported: 'approve' };
const intent = { module: `${STAGES}/record-intent.ts`, exported: 'recordIntent' };
const settle = { module: `${STAGES}/settle.ts`, exported: 'settle' };
const holds = { module: 'packages/db/src/journal/call-holds.ts', exported: 'CallHolds' };
const commit = { module: `${WORKER}/journal.ts`, exported: 'Journal', method: 'write', when: 'after' } as const;

/** In the order in which a call comes by them. */
export const FAILPOINT_PLACES = {
  'before the claim is looked up': { ...lookUp, when: 'before' },
  'after the claim was looked up': { ...lookUp, when: 'after' },
  'before the request is sealed': { ...seal, when: 'before' },
  'after the sealed request was stored': { ...seal, when: 'after' },
  'in the transaction of the approval': {
    module: `${REPOSITORIES}/claim-moves.ts`,
    exported: 'moveClaim',
    when: 'after',
  },
  'after the approval was opened': {
    module: 'packages/gateway/src/approvals/open-approval.ts',
    exported: 'openApproval',
    when: 'after',
  },
  'before the decision': { ...approve, when: 'before' },
  'in the transaction of the decision': {
    module: `${REPOSITORIES}/grant-rows.ts`,
    exported: 'insertGrant',
    when: 'after',
  },
  'after the decision was durable': { ...approve, when: 'after' },
  'before the commit of the intent': { ...intent, when: 'before' },
  'in the transaction of the intent': { ...holds, method: 'take', when: 'after' },
  'after the intent was durable, before anybody heard of it': { ...commit, kind: 0 },
  'after the commit of the intent': { ...intent, when: 'after' },
  'before the first byte goes to the upstream': { module: `${STAGES}/forward.ts`, exported: 'forward', when: 'before' },
  'after the last byte of the answer': { ...settle, when: 'before' },
  'after the outcome was handed over': { ...settle, when: 'after' },
  'in the transaction of the outcome': { ...holds, method: 'settle', when: 'after' },
  'after the completion was durable': { ...commit, kind: 1 },
} as const satisfies Record<string, FailpointPlace>;

export type Failpoint = keyof typeof FAILPOINT_PLACES;

/** Names the file that arms a failpoint: its JSON is `[name, nth]`, and the nth time that the name is reached is the last. */
export const FAILPOINT_FILE = 'FAILPOINT_FILE';
