import { setImmediate } from 'node:timers/promises';
import type { AuditPort } from '@postern/db/ports';
import { type CompiledPolicy, compareRecorded, type RecordedComparison, unkeptFacts } from '@postern/policy';
import type { Entry, Outcome } from '@postern/schemas';
import {
  type CallView,
  HELD_TYPE,
  isRecordOfCall,
  type ReplayGround,
  readRecordedCall,
} from './simulate-recorded-call.ts';

/** Which recorded calls are replayed. Times are milliseconds since the epoch. */
export interface SimulationRange {
  readonly tenant: string;
  /** Inclusive. */
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
  /** Calls looked at, at most. */
  readonly limit: number;
  /** How long it may take, to the end of a page: a policy of many conditions takes its time, and who asked waits only so long. */
  readonly msMax: number;
  /** Where the answer before ended. */
  readonly cursor: string | undefined;
}

export interface SimulatedPolicies {
  readonly current: CompiledPolicy;
  readonly draft: CompiledPolicy;
  readonly ground: ReplayGround;
}

type Changed = CallView & Omit<Extract<RecordedComparison, { kind: 'changed' }>, 'kind'>;
type Undetermined = CallView & Omit<Extract<RecordedComparison, { kind: 'undetermined' }>, 'kind'>;

/** What a draft would have changed. Calls come newest first. */
export interface SimulationResult {
  /** Calls that could be replayed: each is unchanged, changed or undetermined. */
  readonly calls: number;
  readonly unchanged: number;
  readonly changed: readonly Changed[];
  /** The changed outcomes again, by the rule that brings them; the most calls first. */
  readonly byRule: readonly ChangeByRule[];
  readonly undetermined: readonly Undetermined[];
  /** Calls of which not enough was recorded to replay them. */
  readonly notRecorded: readonly (CallView & { readonly reason: string })[];
  /** What of the replayed calls was not kept, by the names that conditions have for it, with the number of such calls. */
  readonly unkept: readonly { readonly name: string; readonly calls: number }[];
  /** When the oldest call was made that was looked at. */
  readonly oldest?: string | undefined;
  /** Not all of the range was looked at. */
  readonly truncated: boolean;
  /** Where to go on for them. */
  readonly nextCursor?: string | undefined;
}

export interface ChangeByRule {
  /** The rule told by the draft; where none is, the one the draft lacks. */
  readonly rule: string | null;
  readonly before: Outcome;
  readonly after: Outcome;
  readonly calls: number;
}

/** So many entries are read and parsed in one go. */
const PAGE_ENTRIES = 250;
/** More than one call has. */
const ENTRIES_OF_CALL_MAX = 100;
/** Calls are served by the same event loop: after this long it is given back to them. */
const SLICE_MS = 3;
/** Entries stand in the log in the order of their writing, which batches, nodes and clocks move apart from that of their times. */
const DISORDER_MS = 300_000;

interface Findings {
  calls: number;
  oldest: string | undefined;
  readonly changed: Changed[];
  readonly undetermined: Undetermined[];
  readonly notRecorded: (CallView & { readonly reason: string })[];
  readonly unkept: Map<string, number>;
  readonly seen: Set<string>;
}

/**
 * Replays the recorded calls of a tenant, newest first, through the policy in force and a draft. Reads the log and writes nothing.
 * `isWanted` is asked now and then; where it says no, what was found so far is the answer.
 */
export async function simulateCalls(
  audit: Pick<AuditPort, 'query'>,
  policies: SimulatedPolicies,
  range: SimulationRange,
  isWanted: () => boolean = () => true,
): Promise<SimulationResult> {
  const findings: Findings = {
    calls: 0,
    oldest: undefined,
    changed: [],
    undetermined: [],
    notRecorded: [],
    unkept: new Map(),
    seen: new Set(),
  };
  const { tenant, from, to, limit } = range;
  let { cursor } = range;
  let looked = 0;
  const end = performance.now() + range.msMax;
  let sliceEnd = performance.now() + SLICE_MS;
  do {
    const page = { limit: Math.min(PAGE_ENTRIES, limit - looked), ...(cursor === undefined ? {} : { cursor }) };
    // The log is not searched for the start of the range: it would be read to its beginning.
    const { items, nextCursor } = await audit.query(tenant, { ...page, to });
    await policies.ground.risks.learn(items);
    await policies.ground.agents.learn(items.flatMap(({ agent }) => agent ?? []));
    for (const entry of items) {
      if (entry.at >= from && !(await isToldElsewhere(audit, entry))) lookAt(entry, policies, findings);
      if (performance.now() < sliceEnd) continue;
      await setImmediate();
      // Nobody reads the answer; it must not look like a whole one all the same.
      if (!isWanted()) return { ...resultOf(findings, undefined), truncated: true };
      sliceEnd = performance.now() + SLICE_MS;
    }
    looked = findings.calls + findings.notRecorded.length;
    // A page may be empty because it may cost no more; then the search goes on behind it.
    const isPast = items.length > 0 && items.every(({ at }) => at < from - DISORDER_MS);
    cursor = isPast ? undefined : nextCursor;
  } while (cursor !== undefined && looked < limit && performance.now() < end);
  return resultOf(findings, cursor);
}

/** Whether the call of an approval that was asked for stands in the log by an entry of its own. */
async function isToldElsewhere(audit: Pick<AuditPort, 'query'>, { type, tenant, requestId }: Entry): Promise<boolean> {
  if (type !== HELD_TYPE || requestId === undefined) return false;
  const { items } = await audit.query(tenant, { requestId, limit: ENTRIES_OF_CALL_MAX });
  return items.some(isRecordOfCall);
}

function lookAt(entry: Entry, { current, draft, ground }: SimulatedPolicies, findings: Findings): void {
  const read = readRecordedCall(entry, ground);
  if (read === undefined) return;
  const { call } = read;
  if (call.requestId !== undefined) {
    if (findings.seen.has(call.requestId)) return;
    findings.seen.add(call.requestId);
  }
  findings.oldest = call.at;
  if ('reason' in read) {
    findings.notRecorded.push({ ...call, reason: read.reason });
    return;
  }
  findings.calls += 1;
  for (const name of unkeptFacts(read.facts)) findings.unkept.set(name, (findings.unkept.get(name) ?? 0) + 1);
  const { kind, ...told } = compareRecorded(current, draft, read.facts);
  if (kind === 'changed') findings.changed.push({ ...call, ...(told as Omit<Changed, keyof CallView>) });
  if (kind === 'undetermined') findings.undetermined.push({ ...call, ...(told as Omit<Undetermined, keyof CallView>) });
}

function resultOf(findings: Findings, nextCursor: string | undefined): SimulationResult {
  const { calls, oldest, changed, undetermined, notRecorded, unkept } = findings;
  return {
    calls,
    unchanged: calls - changed.length - undetermined.length,
    changed,
    byRule: groupByRule(changed),
    undetermined,
    notRecorded,
    unkept: [...unkept].map(([name, count]) => ({ name, calls: count })),
    oldest,
    truncated: nextCursor !== undefined,
    nextCursor,
  };
}

function groupByRule(changed: readonly Changed[]): ChangeByRule[] {
  const groups = new Map<string, { -readonly [K in keyof ChangeByRule]: ChangeByRule[K] }>();
  for (const { before, after } of changed) {
    const rule = after.rule ?? before.rule;
    const key = JSON.stringify([rule, before.outcome, after.outcome]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { rule, before: before.outcome, after: after.outcome, calls: 1 });
    else group.calls += 1;
  }
  return [...groups.values()].sort((left, right) => {
    return right.calls - left.calls || ((left.rule ?? '') < (right.rule ?? '') ? -1 : 1);
  });
}
