import { parseRetryAfter } from './retry-after.ts';

/** How the value of a signal's field tells when to come back; `duration` as in `1m30s` or `250ms`. */
export const LIMIT_WAIT_FORMS = ['retry-after', 'epoch-seconds', 'epoch-milliseconds', 'seconds', 'duration'] as const;
export type LimitWaitForm = (typeof LIMIT_WAIT_FORMS)[number];

/** An answer by which a provider says "not so fast" in a way of its own. Names of fields in any case. */
export interface LimitSignal {
  /** Statuses of such an answer, 400 to 599. */
  readonly statuses: readonly number[];
  /** The field it must have, and with which value where one is named. */
  readonly when?: { readonly header: string; readonly equals?: string | undefined } | undefined;
  /** The field that says when to come back. Without it such an answer is passed on, as 429 without `Retry-After` is. */
  readonly wait?: { readonly header: string; readonly as: LimitWaitForm } | undefined;
}

/** The signals of one upstream, made ready for its answers. */
export interface LimitSignals {
  /** No answer below this status fits any of them. */
  readonly leastStatus: number;
  /**
   * How long an answer asks to wait: milliseconds, 0 for a time that has passed; undefined when no signal fits, or none of those that do
   * says it. Of several the longest: each is a limit of its own. `headers`: flat pairs; `nowMs`: since the epoch.
   */
  waitMs(status: number, headers: readonly string[], nowMs: number): number | undefined;
}

/** undefined for none. */
export function compileLimitSignals(signals: readonly LimitSignal[] | undefined): LimitSignals | undefined {
  if (signals === undefined || signals.length === 0) return undefined;
  const compiled = signals.map(({ statuses, when, wait }) => ({
    statuses: new Set(statuses),
    when: when === undefined ? undefined : { header: when.header.toLowerCase(), equals: when.equals },
    wait: wait === undefined ? undefined : { header: wait.header.toLowerCase(), read: READERS[wait.as] },
  }));
  return {
    leastStatus: Math.min(...signals.flatMap(({ statuses }) => statuses)),
    waitMs(status, headers, nowMs) {
      let longestMs: number | undefined;
      for (const { statuses, when, wait } of compiled) {
        if (wait === undefined || !statuses.has(status) || !isMet(when, headers)) continue;
        const value = fieldOf(headers, wait.header);
        const waitMs = typeof value === 'string' ? wait.read(value, nowMs) : undefined;
        if (waitMs !== undefined && !(longestMs !== undefined && longestMs >= waitMs)) longestMs = waitMs;
      }
      return longestMs;
    },
  };
}

function isMet(when: LimitSignal['when'], headers: readonly string[]): boolean {
  if (when === undefined) return true;
  const value = fieldOf(headers, when.header);
  return value !== undefined && (when.equals === undefined || value === when.equals);
}

/** What several lines of one field say when they do not agree: nothing. */
const CONTRADICTORY = Symbol('contradictory');

/** `name` in lower case. */
function fieldOf(headers: readonly string[], name: string): string | typeof CONTRADICTORY | undefined {
  let found: string | undefined;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const given = headers[i] as string;
    if (given.length !== name.length || given.toLowerCase() !== name) continue;
    const value = (headers[i + 1] as string).trim();
    if (found !== undefined && found !== value) return CONTRADICTORY;
    found = value;
  }
  return found;
}

type ReadWait = (value: string, nowMs: number) => number | undefined;

const READERS: Readonly<Record<LimitWaitForm, ReadWait>> = {
  'retry-after': parseRetryAfter,
  'epoch-seconds': (value, nowMs) => untilMs(numberOf(value), 1_000, nowMs),
  'epoch-milliseconds': (value, nowMs) => untilMs(numberOf(value), 1, nowMs),
  seconds: (value) => inMs(numberOf(value), 1_000),
  duration: readDuration,
};

/** A plain number; nothing with a sign, an exponent or a unit is guessed at. */
function numberOf(value: string): number | undefined {
  return /^\d{1,15}(?:\.\d{1,9})?$/.test(value) ? Number(value) : undefined;
}

function inMs(count: number | undefined, unitMs: number): number | undefined {
  return count === undefined ? undefined : Math.ceil(count * unitMs);
}

function untilMs(time: number | undefined, unitMs: number, nowMs: number): number | undefined {
  return time === undefined ? undefined : Math.max(0, Math.ceil(time * unitMs - nowMs));
}

const NUMBER = String.raw`(\d{1,9}(?:\.\d{1,9})?)`;
const DURATION = new RegExp(`^(?=\\d)(?:${NUMBER}h)?(?:${NUMBER}m)?(?:${NUMBER}s)?(?:${NUMBER}ms)?$`);
const DURATION_UNITS_MS = [3_600_000, 60_000, 1_000, 1];

function readDuration(value: string): number | undefined {
  const parts = DURATION.exec(value);
  if (parts === null) return undefined;
  const totalMs = DURATION_UNITS_MS.reduce((sum, unitMs, place) => sum + Number(parts[place + 1] ?? 0) * unitMs, 0);
  return Math.ceil(totalMs);
}
