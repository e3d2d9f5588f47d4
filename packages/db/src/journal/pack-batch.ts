import type { EntryDraft } from '@postern/schemas';
import type { IntentDraft, OutcomeDraft } from '../ports/call-journal.ts';
import {
  INTENT,
  type JournalBatch,
  type JournalDraft,
  OUTCOME,
  type PackedBatch,
  REFUSAL,
  type RecordEffects,
  type RecordKind,
} from './batch.ts';

/** In the order of `packIntent`. */
const INTENT_MEMBERS = namesOf<IntentDraft>({
  at: true,
  tenant: true,
  requestId: true,
  agent: true,
  environment: true,
  integration: true,
  action: true,
  kind: true,
  method: true,
  url: true,
  intent: true,
  decision: true,
  rule: true,
  reason: true,
  policyVersion: true,
  credential: true,
  actor: true,
  subject: true,
  attempt: true,
  addresses: true,
  count: true,
  fingerprint: true,
  risk: true,
});

/** In the order of `packOutcome`. */
const OUTCOME_MEMBERS = namesOf<OutcomeDraft>({
  at: true,
  tenant: true,
  requestId: true,
  result: true,
  status: true,
  code: true,
  latencyMs: true,
  attempt: true,
  argsHash: true,
});

const REFUSAL_MEMBERS = [
  ...INTENT_MEMBERS,
  ...namesOf<Omit<EntryDraft, keyof IntentDraft | 'versions'>>({
    type: true,
    node: true,
    result: true,
    status: true,
    code: true,
    latencyMs: true,
    argsHash: true,
    approval: true,
    grant: true,
  }),
];
const MEMBER_BITS = 30;
const WITHIN = REFUSAL_MEMBERS.slice(0, MEMBER_BITS);
const BEYOND = REFUSAL_MEMBERS.slice(MEMBER_BITS);

/** In place of a record's kind: what follows belongs to the record before. */
const EFFECTS = 3;

const MEMBERS: Record<RecordKind, readonly string[]> = {
  [INTENT]: INTENT_MEMBERS,
  [OUTCOME]: OUTCOME_MEMBERS,
  [REFUSAL]: WITHIN,
};

type Members = Record<string, unknown>;

/**
 * A batch as one flat list, which structured clone carries at a third of what objects cost it. Each record is a number, of its
 * kind (two bits) and of the members (a bit each) that are not as in the record of that kind before it, and the values of those; the few
 * that have effects are followed by them. A refusal has more members than bits: a second number says which of those beyond.
 */
export function packBatch({ now, kinds, drafts, effects }: JournalBatch): PackedBatch {
  const packed: unknown[] = [now];
  let intent: Partial<IntentDraft> = NOTHING;
  let outcome: Partial<OutcomeDraft> = NOTHING;
  let refusal: Members = NOTHING;
  for (let record = 0; record < drafts.length; record++) {
    const kind = kinds[record] as RecordKind;
    const head = packed.push(0) - 1;
    let changed: number;
    if (kind === INTENT) {
      const draft = drafts[record] as IntentDraft;
      changed = packIntent(packed, draft, intent);
      intent = draft;
    } else if (kind === OUTCOME) {
      const draft = drafts[record] as OutcomeDraft;
      changed = packOutcome(packed, draft, outcome);
      outcome = draft;
    } else {
      const draft = drafts[record] as unknown as Members;
      changed = packRefusal(packed, draft, refusal);
      refusal = draft;
    }
    packed[head] = (changed << 2) | kind;
    if (effects.size > 0) packEffects(packed, effects.get(record));
  }
  return packed;
}

function packEffects(packed: unknown[], effects: RecordEffects | undefined): void {
  if (effects !== undefined) packed.push(EFFECTS, effects);
}

const NOTHING = {};

// Written out, for this is done on the event loop for every call, and members found by name at run time cost ten times as much.
function packIntent(packed: unknown[], draft: IntentDraft, before: Partial<IntentDraft>): number {
  let changed = 0;
  if (draft.at !== before.at) changed |= add(packed, 0, draft.at);
  if (draft.tenant !== before.tenant) changed |= add(packed, 1, draft.tenant);
  if (draft.requestId !== before.requestId) changed |= add(packed, 2, draft.requestId);
  if (draft.agent !== before.agent) changed |= add(packed, 3, draft.agent);
  if (draft.environment !== before.environment) changed |= add(packed, 4, draft.environment);
  if (draft.integration !== before.integration) changed |= add(packed, 5, draft.integration);
  if (draft.action !== before.action) changed |= add(packed, 6, draft.action);
  if (draft.kind !== before.kind) changed |= add(packed, 7, draft.kind);
  if (draft.method !== before.method) changed |= add(packed, 8, draft.method);
  if (draft.url !== before.url) changed |= add(packed, 9, draft.url);
  if (draft.intent !== before.intent) changed |= add(packed, 10, draft.intent);
  if (draft.decision !== before.decision) changed |= add(packed, 11, draft.decision);
  if (draft.rule !== before.rule) changed |= add(packed, 12, draft.rule);
  if (draft.reason !== before.reason) changed |= add(packed, 13, draft.reason);
  if (draft.policyVersion !== before.policyVersion) changed |= add(packed, 14, draft.policyVersion);
  if (draft.credential !== before.credential) changed |= add(packed, 15, draft.credential);
  if (draft.actor !== before.actor) changed |= add(packed, 16, draft.actor);
  if (draft.subject !== before.subject) changed |= add(packed, 17, draft.subject);
  if (draft.attempt !== before.attempt) changed |= add(packed, 18, draft.attempt);
  if (!isSameList(draft.addresses, before.addresses)) changed |= add(packed, 19, draft.addresses);
  if (draft.count !== before.count) changed |= add(packed, 20, draft.count);
  if (draft.fingerprint !== before.fingerprint) changed |= add(packed, 21, draft.fingerprint);
  if (!isSameRisk(draft.risk, before.risk)) changed |= add(packed, 22, draft.risk);
  return changed;
}

/** Each call brings a list and a risk of its own, and most say what the one before said: to clone them costs more than all else of a record. */
function isSameList(list: readonly string[] | undefined, before: readonly string[] | undefined): boolean {
  if (list === before) return true;
  if (list === undefined || before === undefined || list.length !== before.length) return false;
  for (let at = 0; at < list.length; at++) if (list[at] !== before[at]) return false;
  return true;
}

function isSameRisk(risk: IntentDraft['risk'], before: IntentDraft['risk']): boolean {
  if (risk === before) return true;
  return risk !== undefined && risk.score === before?.score && isSameList(risk.labels, before.labels);
}

function packOutcome(packed: unknown[], draft: OutcomeDraft, before: Partial<OutcomeDraft>): number {
  let changed = 0;
  if (draft.at !== before.at) changed |= add(packed, 0, draft.at);
  if (draft.tenant !== before.tenant) changed |= add(packed, 1, draft.tenant);
  if (draft.requestId !== before.requestId) changed |= add(packed, 2, draft.requestId);
  if (draft.result !== before.result) changed |= add(packed, 3, draft.result);
  if (draft.status !== before.status) changed |= add(packed, 4, draft.status);
  if (draft.code !== before.code) changed |= add(packed, 5, draft.code);
  if (draft.latencyMs !== before.latencyMs) changed |= add(packed, 6, draft.latencyMs);
  if (draft.attempt !== before.attempt) changed |= add(packed, 7, draft.attempt);
  if (draft.argsHash !== before.argsHash) changed |= add(packed, 8, draft.argsHash);
  return changed;
}

/** The members beyond the bits come first, with the number that says which they are. */
function packRefusal(packed: unknown[], draft: Members, before: Members): number {
  const beyond = packed.push(0) - 1;
  packed[beyond] = packMembers(packed, { names: BEYOND, draft, before });
  return packMembers(packed, { names: WITHIN, draft, before });
}

function packMembers(
  packed: unknown[],
  { names, draft, before }: { names: readonly string[]; draft: Members; before: Members },
): number {
  return names.reduce((changed, name, bit) => {
    return draft[name] === before[name] ? changed : changed | add(packed, bit, draft[name]);
  }, 0);
}

function add(packed: unknown[], bit: number, value: unknown): number {
  packed.push(value);
  return 1 << bit;
}

/** The way back. Members that a draft lacks are there, and undefined. */
export function unpackBatch(packed: PackedBatch): JournalBatch {
  const kinds: RecordKind[] = [];
  const drafts: JournalDraft[] = [];
  const effects = new Map<number, RecordEffects>();
  const before: Record<RecordKind, Members> = { ...BLANK };
  for (let next = 1; next < packed.length; ) {
    const head = packed[next++] as number;
    if (head === EFFECTS) {
      effects.set(drafts.length - 1, packed[next++] as RecordEffects);
      continue;
    }
    const kind = (head & 3) as RecordKind;
    const draft = { ...before[kind] };
    if (kind === REFUSAL)
      next = unpackMembers(draft, { packed, next: next + 1, changed: packed[next] as number }, BEYOND);
    next = unpackMembers(draft, { packed, next, changed: head >>> 2 }, MEMBERS[kind]);
    before[kind] = draft;
    kinds.push(kind);
    drafts.push(draft as unknown as JournalDraft);
  }
  return { now: packed[0] as number, kinds, drafts, effects };
}

/** Returns where the next record begins. */
function unpackMembers(
  draft: Members,
  { packed, next, changed }: { packed: PackedBatch; next: number; changed: number },
  names: readonly string[],
): number {
  let at = next;
  for (let bits = changed; bits !== 0; bits &= bits - 1) {
    draft[names[31 - Math.clz32(bits & -bits)] as string] = packed[at++];
  }
  return at;
}

const BLANK: Record<RecordKind, Members> = {
  [INTENT]: blank(INTENT_MEMBERS),
  [OUTCOME]: blank(OUTCOME_MEMBERS),
  [REFUSAL]: blank(REFUSAL_MEMBERS),
};

function blank(names: readonly string[]): Members {
  return Object.fromEntries(names.map((name) => [name, undefined]));
}

/** The type makes a member that is missing here an error. At most 30 of intents and outcomes, for they are bits. */
function namesOf<Draft>(members: { readonly [Name in keyof Required<Draft>]: true }): string[] {
  return Object.keys(members);
}
