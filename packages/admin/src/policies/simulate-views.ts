import type { ValidationIssue } from '@postern/schemas';
import { z } from 'zod';
import type { SimulationResult } from './simulate-calls.ts';

const outcome = z.enum(['allow', 'deny', 'require_approval']);
const call = {
  requestId: z.string().optional(),
  at: z.string().describe('ISO 8601, UTC'),
  agent: z.string().optional(),
  integration: z.string().optional(),
  action: z.string().optional().describe('What the integration as it is now makes of the call'),
  method: z.string().optional(),
  url: z.string().optional().describe('Without its query, which is not kept'),
};
const told = z.object({ outcome, rule: z.string().nullable() });
const openRule = z.object({
  policy: z.enum(['current', 'draft']),
  rule: z.string().describe('`risk` where the score is not known'),
  message: z.string(),
});

export interface SimulationAnswer extends SimulationResult {
  readonly from: string;
  readonly to: string;
  readonly policies: { readonly current: string; readonly draft: string };
  readonly warnings: readonly ValidationIssue[];
}

/** The answer of a simulation. Calls come newest first. */
export const simulationView: z.ZodType<SimulationAnswer> = z.object({
  from: z.string(),
  to: z.string(),
  policies: z
    .object({ current: z.string(), draft: z.string() })
    .describe('Policy versions: of what is in force, and what the draft would have'),
  calls: z.int().describe('Calls that could be replayed: unchanged, changed or undetermined'),
  unchanged: z.int(),
  changed: z.array(
    z.object({
      ...call,
      before: told,
      after: told.extend({
        possible: z
          .array(outcome)
          .optional()
          .describe('Where the risk was not kept: all that it could come to; none is what it was'),
      }),
    }),
  ),
  byRule: z
    .array(z.object({ rule: z.string().nullable(), before: outcome, after: outcome, calls: z.int() }))
    .describe('The changed outcomes by the rule that brings them, or that the draft lacks'),
  undetermined: z
    .array(
      z.object({
        ...call,
        before: z.array(outcome).describe('All outcomes that it can have had'),
        after: z.array(outcome),
        rules: z.array(openRule),
      }),
    )
    .describe('Calls of which it cannot be told, since a rule that matters reads what was not kept'),
  notRecorded: z
    .array(z.object({ ...call, reason: z.string() }))
    .describe('Calls of which too little is recorded to replay them; not among `calls`'),
  unkept: z
    .array(z.object({ name: z.string(), calls: z.int() }))
    .describe('What the log does not keep, by the names that conditions have for it, and of how many calls'),
  warnings: z
    .array(
      z.object({ field: z.string(), message: z.string(), rule: z.string().optional(), position: z.int().optional() }),
    )
    .describe('What the draft names and nobody has; it could not be saved so'),
  oldest: z.string().optional().describe('When the oldest call was made that was looked at'),
  truncated: z.boolean().describe('Not all of the range was looked at: go on with `nextCursor`'),
  nextCursor: z.string().optional(),
});
