/** A name whose addresses changed from one resolution to the next. Ordinary for large sites, telling when a class changes. */
export interface RebindingObservation {
  readonly host: string;
  /** Milliseconds since the epoch. */
  readonly observedAtMs: number;
  /** Canonical addresses in ascending text order. */
  readonly before: readonly string[];
  readonly after: readonly string[];
  /** Whether the new answer has an address of a class that the old one had not. */
  readonly hasNewClass: boolean;
}

/** What one resolution of a host gave. */
export interface ObservedAnswer {
  readonly text: string;
  readonly class: string;
}

export interface RebindingLog {
  /** Compares the present answer with the last one and records a difference. */
  observe(host: string, answers: readonly ObservedAnswer[]): void;
  /** Observations of the last 24 hours, oldest first; of one host or of all. */
  list(host?: string): readonly RebindingObservation[];
}

const KEPT_MS = 24 * 60 * 60 * 1_000;
const OBSERVATIONS_MAX = 100;

interface History {
  last: readonly ObservedAnswer[];
  readonly observations: RebindingObservation[];
}

/** Remembers `hostsMax` hosts; beyond that the one resolved longest ago is forgotten with its observations. */
export function createRebindingLog(now: () => number, hostsMax: number): RebindingLog {
  const histories = new Map<string, History>();

  function forgetOld(history: History): void {
    const sinceMs = now() - KEPT_MS;
    const firstKept = history.observations.findIndex((observation) => observation.observedAtMs > sinceMs);
    history.observations.splice(0, firstKept < 0 ? history.observations.length : firstKept);
  }

  function observe(host: string, answers: readonly ObservedAnswer[]): void {
    const present = [...answers].sort((a, b) => (a.text < b.text ? -1 : 1));
    const history = histories.get(host) ?? { last: present, observations: [] };
    histories.delete(host);
    histories.set(host, history);
    if (histories.size > hostsMax) histories.delete(histories.keys().next().value ?? host);
    const before = textsOf(history.last);
    const after = textsOf(present);
    if (before.join() === after.join()) return;
    const classes = new Set(history.last.map((answer) => answer.class));
    const hasNewClass = present.some((answer) => !classes.has(answer.class));
    history.last = present;
    history.observations.push({ host, observedAtMs: now(), before, after, hasNewClass });
    if (history.observations.length > OBSERVATIONS_MAX) history.observations.shift();
    forgetOld(history);
  }

  function list(host?: string): readonly RebindingObservation[] {
    const wanted =
      host === undefined ? [...histories.values()] : [histories.get(host)].filter((one) => one !== undefined);
    for (const history of wanted) forgetOld(history);
    return wanted.flatMap((history) => history.observations).sort((a, b) => a.observedAtMs - b.observedAtMs);
  }

  return { observe, list };
}

function textsOf(answers: readonly ObservedAnswer[]): readonly string[] {
  return [...new Set(answers.map((answer) => answer.text))];
}
