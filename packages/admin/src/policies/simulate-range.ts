import { z } from 'zod';

/** Calls that one answer tells of: enough for a day of most tenants, and little enough that writing the answer delays no call. */
export const CALLS_MAX = 10_000;
const DEFAULT_MS = 86_400_000;
const UNITS_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const DURATION = /^([1-9]\d{0,6})([smhdw])$/;
const MILLISECONDS = /^\d{1,15}$/;

const time = z
  .string()
  .refine(
    (given) => MILLISECONDS.test(given) || isIsoTime(given),
    'must be an ISO 8601 time with an offset, a date, or milliseconds since the epoch',
  )
  .optional();

/** Which recorded calls a simulation looks at. */
export const simulationQuery = z
  .strictObject({
    since: z
      .string()
      .regex(DURATION, 'must be a duration such as 90s, 15m, 24h, 30d or 2w')
      .optional()
      .describe('How far back from `to`, instead of `from`; default: 24h'),
    from: time.describe('Inclusive; default: 24 hours before'),
    to: time.describe('Exclusive; default: now'),
    limit: z.coerce.number().int().min(1).max(CALLS_MAX).default(CALLS_MAX).describe('Calls looked at, at most'),
    cursor: z.string().max(512).optional().describe('`nextCursor` of the answer before'),
  })
  .refine(({ since, from }) => since === undefined || from === undefined, {
    path: ['since'],
    message: 'must not be given together with from',
  });

/** The range in milliseconds since the epoch. */
export function simulationTimes(
  { since, from, to }: Pick<z.output<typeof simulationQuery>, 'since' | 'from' | 'to'>,
  now: number,
): { readonly from: number; readonly to: number } {
  const end = to === undefined ? now : millisecondsOf(to);
  // What is recorded in this very millisecond belongs to the past.
  const exclusive = to === undefined ? end + 1 : end;
  if (from !== undefined) return { from: millisecondsOf(from), to: exclusive };
  const [, count, unit] = DURATION.exec(since ?? '') ?? [];
  const lengthMs = unit === undefined ? DEFAULT_MS : Number(count) * UNITS_MS[unit as keyof typeof UNITS_MS];
  return { from: Math.max(0, end - lengthMs), to: exclusive };
}

function millisecondsOf(given: string): number {
  return MILLISECONDS.test(given) ? Number(given) : Date.parse(given);
}

/** A time with its offset, or a date, which is its first moment in UTC. */
function isIsoTime(given: string): boolean {
  return z.union([z.iso.datetime({ offset: true }), z.iso.date()]).safeParse(given).success;
}
