import { z } from 'zod';
import { riskScorerSchema } from './risk-scorer.ts';

/** A score has tenths; a threshold between two of them acts as the higher one. */
const threshold = z.number().min(0).max(1);

/** What risk does to what the rules say (specification, section 8): it may only raise an outcome. */
export const riskSchema = z
  .strictObject({
    review: threshold.default(0.5).describe('From this score on, what rules allow needs an approval'),
    deny: threshold.default(0.9).describe('From this score on, what rules allow or hold for approval is denied'),
    scorer: riskScorerSchema.nullable().default(null).describe('A language model that may raise the score'),
  })
  .refine(({ review, deny }) => deny >= review, { path: ['deny'], message: 'must be at least review' });

export type Risk = z.infer<typeof riskSchema>;

/** What holds for a tenant that never said otherwise. */
export const DEFAULT_RISK: Risk = Object.freeze({ review: 0.5, deny: 0.9, scorer: null });
