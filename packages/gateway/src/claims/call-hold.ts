import type { CallSettlement, OutcomeDraft } from '@postern/db/ports';
import { ERROR_KINDS, type ErrorCode } from '@postern/schemas';
import type { AnswerRecord } from '../answers/answer-record.ts';
import type { Gateway } from '../gateway.ts';

/** What the commit of an intent took beside the entry: the outcome gives an account of it. */
export interface CallHold {
  readonly hasClaim: boolean;
  readonly hasGrant: boolean;
  /** The answer as it is passed on, for re-sends; undefined until there is one. */
  record: AnswerRecord | undefined;
}

/** An answer came and may not be passed on: nothing is sent again for it, and every re-send is told the same. */
export interface FinalProblem {
  readonly code: ErrorCode;
}

/**
 * How claim, approval and grant are left with an outcome. What is absent follows from the outcome's result, as the journal's table
 * says.
 */
export function settlementOf(
  gateway: Gateway,
  hold: CallHold,
  outcome: OutcomeDraft,
  final: FinalProblem | undefined,
): CallSettlement {
  const { record } = hold;
  try {
    if (final !== undefined) {
      const problem = { code: final.code, status: ERROR_KINDS[final.code].status };
      return {
        ...(hold.hasClaim ? { claim: { to: 'failed_final', problem } } : {}),
        ...(hold.hasGrant ? { approval: 'failed' } : {}),
      };
    }
    // A 429 ends the key's life: the journal frees it.
    if (!hold.hasClaim || outcome.result !== 'done' || outcome.status === 429) return {};
    return { claim: { to: 'succeeded', sealed: record?.seal(gateway.vault, outcome.tenant, outcome.requestId) } };
  } finally {
    record?.drop();
  }
}
