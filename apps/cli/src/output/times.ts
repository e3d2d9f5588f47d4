import { Misuse } from '../exit.ts';

/** `2026-03-01 14:05:09` in the time zone of the machine, from ISO 8601 or milliseconds. Anything else is left as it is. */
export function localTime(time: string | number): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return String(time);
  const two = (number: number) => String(number).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

const UNITS_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;
const DURATION = /^([1-9]\d{0,6})([smhdw])$/;

/** Milliseconds of `90s`, `15m`, `12h`, `30d`, `2w`; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const match = DURATION.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * UNITS_MS[match[2] as keyof typeof UNITS_MS];
}

/** How long ago, in the largest unit that fits: `3 min`, `2 h`. A time to come, by a clock that differs, is no time ago. */
export function ageOf(time: string, now: number): string {
  const seconds = Math.max(0, Math.floor((now - Date.parse(time)) / 1_000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

/**
 * ISO 8601 in UTC of a point in time given as ISO 8601 (a date alone is local midnight, a time without offset is local), or as a
 * duration, which lies that long before or after `now`.
 *
 * @throws Misuse
 */
export function readTime(
  text: string,
  option: string,
  at: { readonly now: number; readonly side: 'before' | 'after' },
): string {
  const duration = parseDuration(text);
  if (duration !== undefined) {
    return new Date(at.side === 'before' ? at.now - duration : at.now + duration).toISOString();
  }
  const isDay = /^\d{4}-\d{2}-\d{2}$/.test(text);
  const isTime = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}/.test(text);
  const date = new Date(isDay ? `${text}T00:00` : text);
  if ((isDay || isTime) && !Number.isNaN(date.getTime())) return date.toISOString();
  throw new Misuse(`${option}: "${text}" is neither a time such as 2026-12-31T18:00 nor a duration such as 12h or 30d`);
}
