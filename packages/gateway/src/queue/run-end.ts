import type { Rejection } from '@postern/schemas';
import type { CollectedResponse } from '../answers/collected-answer.ts';

/** What becomes of a call that was taken out of the queue. */
export type RunEnd =
  | { readonly kind: 'answered'; readonly answer: CollectedResponse }
  | { readonly kind: 'refused'; readonly rejection: Rejection }
  /** Its time has not come. */
  | { readonly kind: 'put_back'; readonly afterMs: number };

export function refused(rejection: Rejection): RunEnd {
  return { kind: 'refused', rejection };
}
