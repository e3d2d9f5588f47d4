import type { EntryDraft } from '@postern/schemas';
import type { IntentDraft, OutcomeDraft } from '../ports/call-journal.ts';
import {
  INTENT,
  type JournalBatch,
  type JournalDraft,
  OUTCOME,
  type PackedBatch,
  REFUSAL,
  type RecordKind,
} from './protocol.ts';

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
  ...namesOf<Omit<EntryDraft, keyof IntentDraft>>({
    type: true,
    node: true,
    result: true,
    status: true,
    code: true,
    latencyMs: true,
    argsHash: true,
  }),
];

const MEMBERS: Record<RecordKind, readonly string[]> = {
  [INTENT]: INTENT_MEMBERS,
  [OUTCOME]: OUTCOME_MEMBERS,
  [REFUSAL]: REFUSAL_MEMBERS,
};

type Members = Record<string, unknown>;

/**
 * A batch as one flat list, which structured clone carries at a third of what objects cost it. Each record is a number, of its
 * kind (two bits) and of the members (a bit each) that are not as in the record of that kind before it, and the values of those.
 */
export function packBatch({ now, kinds, drafts }: JournalBatch): PackedBatch {
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
  }
  return packed;
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
  if (draft.addresses !== before.addresses) changed |= add(packed, 19, draft.addresses);
  if (draft.count !== before.count) changed |= add(packed, 20, draft.count);
  return changed;
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

function packRefusal(packed: unknown[], draft: Members, before: Members): number {
  return REFUSAL_MEMBERS.reduce((changed, name, bit) => {
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
  const before: Record<RecordKind, Members> = { ...BLANK };
  for (let next = 1; next < packed.length; ) {
    const head = packed[next++] as number;
    const kind = (head & 3) as RecordKind;
    const names = MEMBERS[kind];
    const draft = { ...before[kind] };
    for (let changed = head >>> 2; changed !== 0; changed &= changed - 1) {
      draft[names[31 - Math.clz32(changed & -changed)] as string] = packed[next++];
    }
    before[kind] = draft;
    kinds.push(kind);
    drafts.push(draft as unknown as JournalDraft);
  }
  return { now: packed[0] as number, kinds, drafts };
}

const BLANK: Record<RecordKind, Members> = {
  [INTENT]: blank(INTENT_MEMBERS),
  [OUTCOME]: blank(OUTCOME_MEMBERS),
  [REFUSAL]: blank(REFUSAL_MEMBERS),
};

function blank(names: readonly string[]): Members {
  return Object.fromEntries(names.map((name) => [name, undefined]));
}

/** The type makes a member that is missing here an error. At most 30, for they are bits. */
function namesOf<Draft>(members: { readonly [Name in keyof Required<Draft>]: true }): string[] {
  return Object.keys(members);
}
