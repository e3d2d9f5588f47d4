import { timingSafeEqual } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { SecretEnvelopeVersion, SecretRecord } from '@postern/db/ports';
import type { WriteDependencies } from '../dependencies.ts';
import { withOpenedSecret, writeSecretVersion } from '../secret-values.ts';
import type { TenantWrite } from '../tenant-write.ts';
import type { Change, Difference, PlannedWrite } from './change.ts';
import type { CurrentState } from './current-state.ts';
import type { ResolvedSecret } from './resolved-document.ts';

/** Stands for a value wherever a diff speaks of one. */
const HIDDEN = '(hidden)';

/**
 * Compares the document's secrets with those stored. A value is compared by opening the active version: no digest of a value is kept
 * for it. One that cannot be opened counts as another value, so that applying the document again mends it.
 */
export async function planSecrets(
  dependencies: WriteDependencies,
  wanted: ReadonlyMap<string, ResolvedSecret> | undefined,
  state: CurrentState,
  { tenant, context }: Pick<TenantWrite, 'tenant' | 'context'>,
): Promise<readonly PlannedWrite[]> {
  if (wanted === undefined) return [];
  const storedByName = new Map(state.secrets.map((secret) => [secret.name, secret]));
  const plan: PlannedWrite[] = [];
  for (const [name, secret] of wanted) {
    const stored = storedByName.get(name);
    if (stored === undefined) {
      plan.push(planVersion(dependencies, { name, secret }, change(name, 'create', newSecretDiff(secret))));
      continue;
    }
    const written = await writtenVersion(dependencies, { tenant, context }, name);
    const isSame = written && withOpenedSecret(dependencies, written, (bytes) => equals(bytes, secret.value));
    const diff = environmentsDiff(stored, secret);
    if (isSame !== true) {
      const changed = [{ path: 'value', from: HIDDEN, to: `${HIDDEN}, changed` }, ...diff];
      plan.push(planVersion(dependencies, { name, secret }, change(name, 'update', changed)));
    } else if (diff.length > 0 || stored.origin !== 'config') {
      plan.push(planMembers(dependencies, { name, secret }, diff));
    }
  }
  const gone = state.secrets.filter(({ name, origin }) => origin === 'config' && !wanted.has(name));
  return [...plan, ...gone.map(({ name }) => planRemoval(dependencies, name))];
}

/**
 * The active version, or the one that it descends from by rotation: a refresh token that has been renewed since is still the document's, and
 * must not be replaced by the old one.
 */
async function writtenVersion(
  { repositories: { secrets } }: WriteDependencies,
  { tenant, context }: Pick<TenantWrite, 'tenant' | 'context'>,
  name: string,
): Promise<SecretEnvelopeVersion | undefined> {
  const active = await secrets.getActiveSecretEnvelope(tenant, name, context);
  if (active?.rotatedFrom === undefined) return active;
  return secrets.getSecretEnvelopeVersion(tenant, name, active.rotatedFrom, context);
}

interface NamedSecret {
  readonly name: string;
  readonly secret: ResolvedSecret;
}

function planVersion(dependencies: WriteDependencies, { name, secret }: NamedSecret, planned: Change): PlannedWrite {
  return {
    change: planned,
    async run(write) {
      await writeSecretVersion(dependencies, write, { name, ...secret, origin: 'config' });
    },
  };
}

function planMembers(
  { repositories }: WriteDependencies,
  { name, secret: { environments } }: NamedSecret,
  diff: readonly Difference[],
): PlannedWrite {
  const members = { origin: 'config', ...(environments === undefined ? {} : { environments }) } as const;
  return {
    ...(diff.length === 0 ? {} : { change: change(name, 'update', diff) }),
    async run(write) {
      await repositories.secrets.updateSecret(write.tenant, name, members, write.context);
      if (diff.length > 0) await write.record('admin.updated', `secret:${name}`, { credential: name });
    },
  };
}

function planRemoval({ repositories }: WriteDependencies, name: string): PlannedWrite {
  return {
    change: change(name, 'delete', []),
    async run(write) {
      await repositories.secrets.remove(write.tenant, name, write.context);
      await write.record('admin.removed', `secret:${name}`, { credential: name });
    },
  };
}

function change(name: string, op: Change['op'], diff: readonly Difference[]): Change {
  return { kind: 'secret', name, op, diff };
}

function newSecretDiff({ environments }: ResolvedSecret): readonly Difference[] {
  const value = { path: 'value', from: null, to: HIDDEN };
  return environments === undefined ? [value] : [value, { path: 'environments', from: null, to: environments }];
}

function environmentsDiff(stored: SecretRecord, { environments }: ResolvedSecret): readonly Difference[] {
  const [from, to] = [stored.environments ?? null, environments ?? null];
  return isDeepStrictEqual(from, to) ? [] : [{ path: 'environments', from, to }];
}

function equals(stored: Buffer, value: string): boolean {
  const wanted = Buffer.from(value, 'utf8');
  try {
    return stored.length === wanted.length && timingSafeEqual(stored, wanted);
  } finally {
    wanted.fill(0);
  }
}
