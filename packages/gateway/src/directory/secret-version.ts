import type { CachedSecretReference } from '@postern/vault';

/** One version of a secret. */
export interface SecretVersion {
  readonly tenant: string;
  readonly name: string;
  readonly version: number;
}

/**
 * The cache holds each version under a name of its own, so that a call gets the one its configuration means, whatever is written
 * meanwhile: a value that came with a new upstream never goes to the old one, nor the old value to the new one.
 */
export function cachedSecret({ tenant, name, version }: SecretVersion): CachedSecretReference {
  // "@" is no character of a name.
  return { tenant, name: `${name}@${version}` };
}

/** The way back, for whoever reads the version from the store. */
export function secretVersion({ tenant, name }: CachedSecretReference): SecretVersion {
  const mark = name.lastIndexOf('@');
  return { tenant, name: name.slice(0, mark), version: Number(name.slice(mark + 1)) };
}
