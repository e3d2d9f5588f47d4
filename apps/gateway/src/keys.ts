import type { KeyObject } from 'node:crypto';
import { generateAdminToken, type HmacKey, type KeyDigest, keyDigest } from '@postern/auth';
import { deriveKey, deriveKeys, generateMasterKey, type KeyRing, parseKeyRing, VaultError } from '@postern/vault';
import type { DataFolder } from './data-folder.ts';
import { EnvironmentError } from './environment.ts';
import type { Settings } from './settings.ts';

/** Everything derived from the master key, and the bootstrap owner's token. */
export interface GatewayKeys {
  readonly keyRing: KeyRing;
  readonly agentKeyHmacKeys: readonly [HmacKey, ...HmacKey[]];
  readonly adminTokenHmacKeys: readonly [HmacKey, ...HmacKey[]];
  readonly bootstrapToken: KeyDigest;
  /** Of what upstreams get in place of callers' idempotency keys: of the oldest master key, so that a rotation makes no new ones. */
  readonly upstreamKeyKey: KeyObject;
  /** Our name in `Via`: of this installation, whatever the node. Tells nothing of the key it comes from. */
  readonly viaName: string;
}

/** @throws EnvironmentError when the key ring is not usable, or is another than the data folder's. */
export function openKeys(settings: Settings, folder: DataFolder): GatewayKeys {
  const keyRing = readKeyRing(settings, folder);
  checkMasterKeys(keyRing, folder);
  const adminTokenHmacKeys = nonEmpty(deriveKeys(keyRing, 'admin-token'));
  const adminToken = settings.adminToken ?? folder.keep('admin-token', () => generateAdminToken());
  return {
    keyRing,
    agentKeyHmacKeys: nonEmpty(deriveKeys(keyRing, 'agent-key')),
    adminTokenHmacKeys,
    upstreamKeyKey: deriveKey(keyRing, 'upstream-key', Object.keys(keyRing.keys).at(-1)).key,
    bootstrapToken: keyDigest(adminToken, adminTokenHmacKeys[0]),
    viaName: `postern-${Buffer.from(keyDigest('via', deriveKey(keyRing, 'via-name')).digest)
      .toString('hex')
      .slice(0, 8)}`,
  };
}

function readKeyRing(settings: Settings, folder: DataFolder): KeyRing {
  try {
    return parseKeyRing(settings.masterKey ?? folder.keep('master-key', () => generateMasterKey()));
  } catch (error) {
    if (!(error instanceof VaultError)) throw error;
    const source = settings.masterKey === undefined ? `${folder.path}/master-key` : settings.masterKeyVariable;
    throw new EnvironmentError(
      source,
      `${error.message} Right is id:base64,… with 32 bytes each; the first seals, all open`,
    );
  }
}

/** Tells one master key from another and nothing else of it. */
const CHECK_FILE = 'master-key-check';

/**
 * Refuses a key ring that lacks every key this data folder was used with, or has another key under one of their ids: it would
 * open no secret and know no agent key.
 */
function checkMasterKeys(keyRing: KeyRing, folder: DataFolder): void {
  const checks = Object.fromEntries(
    deriveKeys(keyRing, 'key-check').map((key) => [
      key.keyId,
      Buffer.from(keyDigest('check', key).digest).toString('hex'),
    ]),
  );
  const known = JSON.parse(folder.keep(CHECK_FILE, () => JSON.stringify(checks))) as Record<string, string>;
  const shared = Object.keys(known).filter((id) => checks[id] !== undefined);
  if (shared.length === 0 || shared.some((id) => checks[id] !== known[id])) {
    throw new EnvironmentError(
      'POSTERN_MASTER_KEY',
      `is not the key that the data folder ${folder.path} was sealed with (key ids ${Object.keys(known).join(', ')}); give that one, further keys may follow it`,
    );
  }
  if (Object.keys(checks).some((id) => known[id] === undefined)) {
    folder.replace(CHECK_FILE, JSON.stringify({ ...known, ...checks }));
  }
}

function nonEmpty<T>(list: readonly T[]): readonly [T, ...T[]] {
  const [first, ...rest] = list;
  if (first === undefined) throw new TypeError('a key ring has at least one key');
  return [first, ...rest];
}
