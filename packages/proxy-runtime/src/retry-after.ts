/**
 * How long `Retry-After` asks to wait (RFC 9110 section 10.2.3): milliseconds, 0 for a time that has passed; undefined when the
 * field is absent or neither delta seconds nor an HTTP date. The first of several fields counts. `nowMs`: since the epoch.
 */
export function retryAfterMs(headers: readonly string[], nowMs: number): number | undefined {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length === 11 && name.toLowerCase() === 'retry-after')
      return parseRetryAfter(headers[i + 1] as string, nowMs);
  }
  return undefined;
}

/** As `retryAfterMs`, of the field's value alone. */
export function parseRetryAfter(text: string, nowMs: number): number | undefined {
  const value = text.trim();
  if (/^\d{1,10}$/.test(value)) return Number(value) * 1_000;
  const at = parseHttpDate(value, nowMs);
  return at === undefined ? undefined : Math.max(0, at - nowMs);
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** RFC 9110 section 5.6.7: the fixed form, and the two obsolete ones that a recipient must accept. */
const DATE_FORMS = [
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?<day>\d{2}) (?<month>[A-Z][a-z]{2}) (?<year>\d{4}) (?<time>\d{2}:\d{2}:\d{2}) GMT$/,
  /^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?<day>\d{2})-(?<month>[A-Z][a-z]{2})-(?<year>\d{2}) (?<time>\d{2}:\d{2}:\d{2}) GMT$/,
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?<month>[A-Z][a-z]{2}) (?<day>[ \d]\d) (?<time>\d{2}:\d{2}:\d{2}) (?<year>\d{4})$/,
];

/** Milliseconds since the epoch; undefined for anything but a date that exists. */
function parseHttpDate(text: string, nowMs: number): number | undefined {
  for (const form of DATE_FORMS) {
    const parts = form.exec(text)?.groups as { day: string; month: string; year: string; time: string } | undefined;
    if (parts === undefined) continue;
    const month = MONTHS.indexOf(parts.month);
    const [hours = 0, minutes = 0, seconds = 0] = parts.time.split(':').map(Number);
    // A leap second (60) is a second like any other here.
    if (month < 0 || hours > 23 || minutes > 59 || seconds > 60) return undefined;
    const year = parts.year.length === 4 ? Number(parts.year) : fullYear(Number(parts.year), nowMs);
    const day = Number(parts.day);
    const at = Date.UTC(year, month, day, hours, minutes, seconds);
    return new Date(Date.UTC(year, month, day)).getUTCDate() === day ? at : undefined;
  }
  return undefined;
}

/** Two digits that would lie more than 50 years ahead mean the latest year of the past with the same digits. */
function fullYear(digits: number, nowMs: number): number {
  const thisYear = new Date(nowMs).getUTCFullYear();
  const year = Math.floor(thisYear / 100) * 100 + digits;
  return year > thisYear + 50 ? year - 100 : year;
}
