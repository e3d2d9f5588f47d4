import type { DbRepositories, RunInTransaction } from '@postern/db/ports';
import type { SecretEnvelope, Vault } from '@postern/vault';
import type { SecretVersion } from '../directory/secret-version.ts';

/**
 * Makes `value` the next version of the secret that `from` is the active version of, durably. Answers the new version; undefined when another
 * version is active by now: somebody wrote the secret anew, and that stands.
 */
export type StoreRotatedSecret = (from: SecretVersion, value: string) => Promise<SecretVersion | undefined>;

export interface RotatedSecretStore {
  readonly repositories: Pick<DbRepositories, 'secrets' | 'audit' | 'directory'>;
  readonly runInTransaction: RunInTransaction;
  readonly vault: Pick<Vault, 'seal'>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Told after the commit, as after every change of configuration. */
  readonly onChange: (tenant: string) => void;
}

/** How many versions back rotated ones stay, for people who look for what happened. */
const KEPT_VERSIONS = 10;

/** One transaction: the sealed version, its audit entry, and the stamp by which every node learns of it. */
export function createRotatedSecretStore(store: RotatedSecretStore): StoreRotatedSecret {
  const { repositories, runInTransaction, vault, now, onChange } = store;
  return async (from, value) => {
    const { tenant, name } = from;
    const stored = await runInTransaction(async (context) => {
      const current = await repositories.secrets.getByName(tenant, name, context);
      if (current?.activeVersion !== from.version) return undefined;
      const former = await repositories.secrets.getSecretEnvelopeVersion(tenant, name, from.version, context);
      const rotatedFrom = former?.rotatedFrom ?? from.version;
      const version = await repositories.secrets.nextVersion(tenant, name, context);
      const { kekId, envelope } = seal(vault, { tenant, name, version }, value);
      await repositories.secrets.createSecretEnvelopeVersion(
        { tenant, name, version, kekId, envelope, rotatedFrom },
        {
          origin: current.origin,
          ...(current.environments === undefined ? {} : { environments: current.environments }),
        },
        context,
      );
      await repositories.secrets.removeRotatedVersions(tenant, name, version - KEPT_VERSIONS, context);
      await repositories.audit.append(
        { at: now(), tenant, type: 'secret.written', subject: `secret:${name}`, credential: name, reason: 'rotated' },
        context,
      );
      await repositories.directory.bump(tenant, context);
      return { tenant, name, version };
    });
    if (stored !== undefined) onChange(tenant);
    return stored;
  };
}

function seal(vault: Pick<Vault, 'seal'>, reference: SecretVersion, value: string) {
  const bytes = Buffer.from(value, 'utf8');
  try {
    const sealed: SecretEnvelope = vault.seal(reference, bytes);
    return { kekId: sealed.kekId, envelope: JSON.stringify(sealed) };
  } finally {
    bytes.fill(0);
  }
}
