import { Fault } from './fault.ts';
import { dayOfYear, localDate, NANOS_PER_SECOND, type TimeZone } from './time.ts';
import { Duration, kindOf, Timestamp, type Value } from './value.ts';

const OF_DATE: ReadonlyMap<string, (local: Date) => number> = new Map<string, (local: Date) => number>([
  ['getFullYear', (local) => local.getUTCFullYear()],
  ['getMonth', (local) => local.getUTCMonth()],
  ['getDate', (local) => local.getUTCDate()],
  ['getDayOfMonth', (local) => local.getUTCDate() - 1],
  ['getDayOfWeek', (local) => local.getUTCDay()],
  ['getDayOfYear', dayOfYear],
  ['getHours', (local) => local.getUTCHours()],
  ['getMinutes', (local) => local.getUTCMinutes()],
  ['getSeconds', (local) => local.getUTCSeconds()],
  ['getMilliseconds', (local) => local.getUTCMilliseconds()],
]);

/** Whole units; milliseconds alone are those within the second. */
const OF_DURATION: ReadonlyMap<string, (nanos: bigint) => bigint> = new Map<string, (nanos: bigint) => bigint>([
  ['getHours', (nanos) => nanos / (3_600n * NANOS_PER_SECOND)],
  ['getMinutes', (nanos) => nanos / (60n * NANOS_PER_SECOND)],
  ['getSeconds', (nanos) => nanos / NANOS_PER_SECOND],
  ['getMilliseconds', (nanos) => (nanos % NANOS_PER_SECOND) / 1_000_000n],
]);

export const TIME_GETTERS: ReadonlySet<string> = new Set(OF_DATE.keys());

/** The field that a clock in `zone` (UTC without one) shows; of a duration, its length in that unit. */
export function timeField(time: Value, getter: string, zone: TimeZone | undefined, position: number): bigint {
  if (time instanceof Timestamp) return BigInt(OF_DATE.get(getter)?.(localDate(time, zone)) ?? 0);
  const ofDuration = OF_DURATION.get(getter);
  if (!(time instanceof Duration) || ofDuration === undefined || zone !== undefined) {
    throw new Fault(`has no ${getter}() of ${kindOf(time)}`, position);
  }
  return ofDuration(time.nanos);
}
