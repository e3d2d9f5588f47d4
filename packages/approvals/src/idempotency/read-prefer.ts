/** What a call prefers (RFC 7240), as far as the gateway itself acts on it. */
export interface Preferences {
  /** `wait=N`, at most 300; undefined without one. */
  readonly waitSeconds: number | undefined;
  readonly respondAsync: boolean;
  /** The other preferences, as written, in their order: what is forwarded. Empty: no `Prefer` field is. */
  readonly forwarded: readonly string[];
}

/** Specification, section 6. A longer wait is cut to this: a preference binds nobody. */
export const WAIT_SECONDS_MAX = 300;

/** RFC 7240 section 2: preferences are parted by commas; a quoted string may hold one. */
const PREFERENCE = /(?:[^,"]|"(?:[^"\\]|\\.)*"?)+/g;

/**
 * Reads `Prefer`. `wait` and `respond-async` are taken off, also where they are malformed (then they ask for nothing); of repeated ones
 * the first counts. `values`: the field's values as received, one a field line.
 */
export function readPrefer(values: string | readonly string[]): Preferences {
  let waitSeconds: number | undefined;
  let isWaitRead = false;
  let respondAsync = false;
  const forwarded: string[] = [];
  for (const value of typeof values === 'string' ? [values] : values) {
    for (const [written] of value.matchAll(PREFERENCE)) {
      const preference = written.trim();
      const name = /^[^\s=;]*/.exec(preference)?.[0].toLowerCase();
      if (name === 'wait') {
        if (!isWaitRead) waitSeconds = readWait(preference);
        isWaitRead = true;
      } else if (name === 'respond-async') {
        respondAsync = true;
      } else if (preference !== '') {
        forwarded.push(preference);
      }
    }
  }
  return { waitSeconds, respondAsync, forwarded };
}

/** RFC 7240 section 4.3: delta seconds. */
function readWait(preference: string): number | undefined {
  const digits = /^wait\s*=\s*"?(\d{1,10})"?\s*(?:;|$)/i.exec(preference)?.[1];
  return digits === undefined ? undefined : Math.min(Number(digits), WAIT_SECONDS_MAX);
}
