import { Duration, Timestamp } from './value.ts';

const NANOS_PER_MS = 1_000_000n;
export const NANOS_PER_SECOND = 1_000_000_000n;

/** The years 0001 to 9999, as the language has them. */
const EPOCH_NANOS_MIN = -62_135_596_800_000n * NANOS_PER_MS;
const EPOCH_NANOS_MAX = 253_402_300_800_000n * NANOS_PER_MS - 1n;
/** 10,000 years, as in google.protobuf.Duration. */
const DURATION_NANOS_MAX = 315_576_000_000n * NANOS_PER_SECOND;

export function timestampOfMillis(millis: number): Timestamp {
  return new Timestamp(BigInt(Math.trunc(millis)) * NANOS_PER_MS);
}

/** Undefined outside the years 0001 to 9999. */
export function timestampOfNanos(nanos: bigint): Timestamp | undefined {
  return nanos >= EPOCH_NANOS_MIN && nanos <= EPOCH_NANOS_MAX ? new Timestamp(nanos) : undefined;
}

/** Undefined beyond 10,000 years. */
export function durationOfNanos(nanos: bigint): Duration | undefined {
  return nanos >= -DURATION_NANOS_MAX && nanos <= DURATION_NANOS_MAX ? new Duration(nanos) : undefined;
}

const RFC_3339 = /^(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)$/;

/** RFC 3339, section 5.6; a leap second is refused. */
export function parseTimestamp(text: string): Timestamp | undefined {
  const [, date, time, fraction = '', zone = ''] = (text.length <= 40 && RFC_3339.exec(text)) || [];
  if (date === undefined) return undefined;
  const utcMillis = Date.parse(`${date}T${time}Z`);
  // Date.parse takes 30 February for 1 March.
  if (Number.isNaN(utcMillis) || new Date(utcMillis).toISOString().slice(0, 10) !== date) return undefined;
  const offset = /^[Zz]$/.test(zone) ? 0 : offsetMinutes(zone);
  if (offset === undefined) return undefined;
  return timestampOfNanos(BigInt(utcMillis - offset * 60_000) * NANOS_PER_MS + BigInt(fraction.padEnd(9, '0')));
}

export function formatTimestamp({ nanos }: Timestamp): string {
  const seconds = floorDivide(nanos, NANOS_PER_SECOND);
  const [date = ''] = new Date(Number(seconds) * 1000).toISOString().split('.');
  return `${date}${fractionText(nanos - seconds * NANOS_PER_SECOND)}Z`;
}

const DURATION_PARTS = /(\d{0,20})(?:\.(\d{0,20}))?(ns|us|µs|μs|ms|s|m|h)/y;
const UNIT_NANOS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: NANOS_PER_MS,
  s: NANOS_PER_SECOND,
  m: 60n * NANOS_PER_SECOND,
  h: 3_600n * NANOS_PER_SECOND,
};

/** Such as `1h30m`, `-1.5s` or `0`. */
export function parseDuration(text: string): Duration | undefined {
  const sign = /^[+-]/.test(text) ? text.slice(0, 1) : '';
  const digits = text.slice(sign.length);
  if (digits === '0') return new Duration(0n);
  if (digits === '' || digits.length > 100) return undefined;
  let nanos = 0n;
  for (let at = 0; at < digits.length; at = DURATION_PARTS.lastIndex) {
    DURATION_PARTS.lastIndex = at;
    const [, whole = '', fraction = '', unit = ''] = DURATION_PARTS.exec(digits) ?? [];
    const unitNanos = UNIT_NANOS[unit];
    if (unitNanos === undefined || whole + fraction === '') return undefined;
    nanos += BigInt(whole) * unitNanos + (BigInt(fraction) * unitNanos) / 10n ** BigInt(fraction.length);
  }
  return durationOfNanos(sign === '-' ? -nanos : nanos);
}

export function formatDuration({ nanos }: Duration): string {
  const size = nanos < 0n ? -nanos : nanos;
  const fraction = fractionText(size % NANOS_PER_SECOND);
  return `${nanos < 0n ? '-' : ''}${size / NANOS_PER_SECOND}${fraction}s`;
}

/** `.` and 3, 6 or 9 digits, as JSON of protobuf has it; nothing for none. */
function fractionText(nanos: bigint): string {
  if (nanos === 0n) return '';
  return `.${String(nanos)
    .padStart(9, '0')
    .replace(/(?:000){1,2}$/, '')}`;
}

export type TimeZone =
  | { readonly kind: 'fixed'; readonly minutes: number }
  | { readonly kind: 'named'; readonly format: Intl.DateTimeFormat };

/** An offset such as `+02:00`, or a name of the time zone database; undefined for neither. */
export function parseTimeZone(text: string): TimeZone | undefined {
  const offset = offsetMinutes(/^\d/.test(text) ? `+${text}` : text);
  if (offset !== undefined) return { kind: 'fixed', minutes: offset };
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(text)) return undefined;
  try {
    return { kind: 'named', format: new Intl.DateTimeFormat('en-US', { ...NUMERIC, timeZone: text }) };
  } catch {
    return undefined;
  }
}

const NUMERIC = {
  calendar: 'gregory',
  numberingSystem: 'latn',
  hourCycle: 'h23',
  era: 'short',
  year: 'numeric',
  month: 'numeric',
  day: 'numeric',
  hour: 'numeric',
  minute: 'numeric',
  second: 'numeric',
} as const;

function offsetMinutes(text: string): number | undefined {
  const [, sign, hours, minutes] = /^([+-])(\d\d):(\d\d)$/.exec(text) ?? [];
  if (hours === undefined || Number(hours) > 23 || Number(minutes) > 59) return undefined;
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}

/** A date whose UTC fields are what clocks in `zone` show. */
export function localDate({ nanos }: Timestamp, zone: TimeZone | undefined): Date {
  const utc = new Date(Number(floorDivide(nanos, NANOS_PER_MS)));
  if (zone === undefined) return utc;
  if (zone.kind === 'fixed') return new Date(utc.getTime() + zone.minutes * 60_000);
  const fields: Record<string, number> = {};
  for (const { type, value } of zone.format.formatToParts(utc)) fields[type] = Number(value);
  const { year = 1, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = fields;
  const local = new Date(Date.UTC(2000, month - 1, day, hour, minute, second, utc.getUTCMilliseconds()));
  local.setUTCFullYear(year, month - 1, day);
  return local;
}

/** From 0 for the first of January. */
export function dayOfYear(local: Date): number {
  const midnight = Date.UTC(2000, local.getUTCMonth(), local.getUTCDate());
  const isLeap = new Date(new Date(0).setUTCFullYear(local.getUTCFullYear(), 1, 29)).getUTCMonth() === 1;
  const days = Math.round((midnight - Date.UTC(2000, 0, 1)) / 86_400_000);
  return isLeap || local.getUTCMonth() < 2 ? days : days - 1;
}

export function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value % by < 0n ? quotient - 1n : quotient;
}
