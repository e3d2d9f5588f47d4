import type { Facts, RiskScore } from '@postern/policy';
import type { Opinion } from './read-opinion.ts';

/** The label of a call that a scorer should have been heard on and was not. */
export const SCORER_UNAVAILABLE = 'scorer_unavailable';

/** In tenths (specification, section 8): what the score is raised by when the scorer says nothing. */
const SILENCE_TENTHS = 3;

/** What a scorer's opinion adds to the facts of a call: policy takes the higher of it and the heuristic. */
export function heardRisk({ score, labels }: Opinion): NonNullable<Facts['risk']> {
  return { score, labels };
}

/** The same for a scorer that could not be heard, or whose answer is none. */
export function unheardRisk({ score }: RiskScore): NonNullable<Facts['risk']> {
  return { score: Math.min(10, Math.round(score * 10) + SILENCE_TENTHS) / 10, labels: [SCORER_UNAVAILABLE] };
}
