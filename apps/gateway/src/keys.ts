import { generateAdminToken, type HmacKey, type KeyDigest, keyDigest } from '@postern/auth';
import { deriveKey, deriveKeys, generateMasterKey, type KeyRing, parseKeyRing } from '@postern/vault';
import type { DataFolder } from './data-folder.ts';
import type { Settings } from './settings.ts';

/** Everything derived from the master key, and the bootstrap owner's token. */
export interface GatewayKeys {
  readonly keyRing: KeyRing;
  readonly agentKeyHmacKeys: readonly [HmacKey, ...HmacKey[]];
  readonly adminTokenHmacKeys: readonly [HmacKey, ...HmacKey[]];
  readonly bootstrapToken: KeyDigest;
  /** Our name in `Via`: of this installation, whatever the node. Tells nothing of the key it comes from. */
  readonly viaName: string;
}

/** @throws VaultError when the key ring's text is not usable. */
export function openKeys(settings: Settings, folder: DataFolder): GatewayKeys {
  const keyRing = parseKeyRing(settings.masterKey ?? folder.keep('master-key', () => generateMasterKey()));
  const adminTokenHmacKeys = nonEmpty(deriveKeys(keyRing, 'admin-token'));
  const adminToken = settings.adminToken ?? folder.keep('admin-token', () => generateAdminToken());
  return {
    keyRing,
    agentKeyHmacKeys: nonEmpty(deriveKeys(keyRing, 'agent-key')),
    adminTokenHmacKeys,
    bootstrapToken: keyDigest(adminToken, adminTokenHmacKeys[0]),
    viaName: `postern-${Buffer.from(keyDigest('via', deriveKey(keyRing, 'via-name')).digest)
      .toString('hex')
      .slice(0, 8)}`,
  };
}

function nonEmpty<T>(list: readonly T[]): readonly [T, ...T[]] {
  const [first, ...rest] = list;
  if (first === undefined) throw new TypeError('a key ring has at least one key');
  return [first, ...rest];
}
