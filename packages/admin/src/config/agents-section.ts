import { type KeyDigest, keyDigest, parseAgentKey, verifyKeyDigest } from '@postern/auth';
import type { AgentKeyRecord, AgentRecord } from '@postern/db/ports';
import { type Agent, KEY_SCOPES } from '@postern/schemas';
import { agentMembers } from '../agent-members.ts';
import type { WriteDependencies } from '../dependencies.ts';
import type { TenantWrite } from '../tenant-write.ts';
import type { PlacedIssue } from '../validation/check-shape.ts';
import { atOnce } from './at-once.ts';
import type { Change, PlannedWrite } from './change.ts';
import { compactAgent } from './compact.ts';
import { compareSection } from './compare-section.ts';
import type { CurrentState } from './current-state.ts';
import type { ResolvedAgent } from './resolved-document.ts';

export interface AgentsPlan {
  readonly plan: readonly PlannedWrite[];
  readonly issues: readonly PlacedIssue[];
}

/**
 * Plans agents with their keys. An agent without a key in the document keeps the keys it has; one with a key loses the keys that
 * earlier documents gave it. A key that was revoked, or that another agent has, is refused.
 */
export async function planAgents(
  dependencies: WriteDependencies,
  wanted: readonly ResolvedAgent[] | undefined,
  state: CurrentState,
  { tenant, context }: Pick<TenantWrite, 'tenant' | 'context'>,
): Promise<AgentsPlan> {
  if (wanted === undefined) return { plan: [], issues: [] };
  const { agents } = dependencies.repositories;
  const existing = state.agents.map((record) => {
    return { name: record.name, spec: agentMembers(record), origin: record.origin, record };
  });
  const named = wanted.map(({ agent }) => ({ name: agent.name, spec: agent }));
  const { creations, matches, removals } = compareSection(named, existing, { kind: 'agent', compact: compactAgent });
  const removedIds = new Set(removals.map(({ stored }) => stored.record.id));
  const places = new Map(wanted.map(({ agent }, index) => [agent.name, index]));
  const keys = new Map(wanted.map(({ agent, key }) => [agent.name, key]));
  const issues: PlacedIssue[] = [];
  const plan: PlannedWrite[] = removals.map(({ stored, change }) => planRemoval(dependencies, stored.record, change));

  const planKey = async (name: string, record: AgentRecord | undefined): Promise<KeyPlan> => {
    const key = keys.get(name);
    if (key === undefined) return NO_KEY;
    const listed = record === undefined ? [] : await agents.listKeys(tenant, record.id, context);
    const judged = await judgeKey(dependencies, key, { tenant, record, removedIds });
    if ('message' in judged) {
      issues.push({ path: ['agents', places.get(name) ?? 0, 'key'], message: judged.message });
      return NO_KEY;
    }
    const superseded = listed.filter(({ id, origin, revokedAt }) => {
      return origin === 'config' && revokedAt === undefined && id !== judged.publicId;
    });
    return { publicId: judged.publicId, create: judged.isStored ? undefined : judged.digest, revoke: superseded };
  };

  const keysOfNew = await atOnce(creations, ({ spec }) => planKey(spec.name, undefined));
  for (const [index, { spec, change }] of creations.entries()) {
    plan.push(planCreation(dependencies, spec, change, keysOfNew[index] ?? NO_KEY));
  }
  const keysOfOld = await atOnce(matches, ({ spec, stored }) => planKey(spec.name, stored.record));
  for (const [index, { spec, stored, change }] of matches.entries()) {
    const update = planUpdate(dependencies, { spec, stored: stored.record, change }, keysOfOld[index] ?? NO_KEY);
    if (update !== undefined) plan.push(update);
  }
  return { plan, issues };
}

interface KeyPlan {
  /** Of the key that the document names. */
  readonly publicId?: string;
  readonly create?: KeyDigest | undefined;
  /** Keys of earlier documents that this one no longer names. */
  readonly revoke: readonly AgentKeyRecord[];
}

const NO_KEY: KeyPlan = { revoke: [] };

type JudgedKey =
  | { readonly message: string }
  | { readonly isStored: boolean; readonly publicId: string; readonly digest: KeyDigest };

/** Whether a key of the document is there already, may be stored, or must be refused. */
async function judgeKey(
  { repositories, agentKeyHmacKeys }: WriteDependencies,
  text: string,
  owner: {
    readonly tenant: string;
    readonly record: AgentRecord | undefined;
    readonly removedIds: ReadonlySet<string>;
  },
): Promise<JudgedKey> {
  const parsed = parseAgentKey(text);
  if (parsed === undefined) return { message: 'is not an agent key; "postern keys generate" makes one' };
  const { publicId } = parsed;
  const digest = keyDigest(text, agentKeyHmacKeys[0]);
  const found = await repositories.agents.findKey(publicId);
  if (found === undefined || (found.key.tenant === owner.tenant && owner.removedIds.has(found.agent.id))) {
    return { isStored: false, publicId, digest };
  }
  const isOwn = found.key.tenant === owner.tenant && found.agent.id === owner.record?.id;
  const stored = { keyId: found.key.digestKeyId, digest: Buffer.from(found.key.digest, 'base64') };
  if (!isOwn || !verifyKeyDigest(text, stored, agentKeyHmacKeys)) {
    return { message: 'is in use already; "postern keys generate" makes another' };
  }
  if (found.key.revokedAt !== undefined) return { message: 'is revoked; "postern keys generate" makes another' };
  return { isStored: true, publicId, digest };
}

function planRemoval({ repositories }: WriteDependencies, { id, name }: AgentRecord, change: Change): PlannedWrite {
  return {
    change,
    async run(write) {
      await repositories.agents.remove(write.tenant, id, write.context);
      await write.record('admin.removed', `agent:${name}`);
    },
  };
}

function planCreation(dependencies: WriteDependencies, spec: Agent, change: Change, key: KeyPlan): PlannedWrite {
  return {
    change: { ...change, diff: [...change.diff, ...keyDiff(key)] },
    async run(write) {
      const { id } = await dependencies.repositories.agents.create(write.tenant, spec, 'config', write.context);
      await write.record('admin.created', `agent:${spec.name}`);
      await writeKeys(dependencies, write, { id, name: spec.name }, key);
    },
  };
}

function planUpdate(
  dependencies: WriteDependencies,
  {
    spec,
    stored,
    change,
  }: { readonly spec: Agent; readonly stored: AgentRecord; readonly change?: Change | undefined },
  key: KeyPlan,
): PlannedWrite | undefined {
  const diff = [...(change?.diff ?? []), ...keyDiff(key)];
  const isAltered = change !== undefined || stored.origin !== 'config';
  if (diff.length === 0 && !isAltered) return undefined;
  return {
    ...(diff.length === 0 ? {} : { change: { kind: 'agent', name: spec.name, op: 'update', diff } }),
    async run(write) {
      const { agents } = dependencies.repositories;
      if (isAltered) await agents.update(write.tenant, stored.id, spec, { origin: 'config' }, write.context);
      if (change !== undefined) await write.record('admin.updated', `agent:${spec.name}`);
      await writeKeys(dependencies, write, stored, key);
    },
  };
}

async function writeKeys(
  { repositories: { agents }, now }: WriteDependencies,
  write: TenantWrite,
  agent: { readonly id: string; readonly name: string },
  { publicId, create, revoke }: KeyPlan,
): Promise<void> {
  const { tenant, context } = write;
  for (const { id } of revoke) {
    if (await agents.revokeKey(tenant, id, now(), context)) {
      await write.record('admin.removed', `agent-key:${agent.name}/${id}`);
    }
  }
  if (create === undefined || publicId === undefined) return;
  const { keyId, digest } = create;
  const stored = { digest: Buffer.from(digest).toString('base64'), digestKeyId: keyId, scopes: [...KEY_SCOPES] };
  await agents.createKey({ tenant, id: publicId, agentId: agent.id, ...stored, origin: 'config' }, context);
  await write.record('admin.created', `agent-key:${agent.name}/${publicId}`);
}

/** Names keys by their public ids, which are no secret. */
function keyDiff({ publicId, create, revoke }: KeyPlan): Change['diff'] {
  const from = revoke.map(({ id }) => id).join(', ') || null;
  return create === undefined && from === null ? [] : [{ path: 'key', from, to: publicId ?? null }];
}
