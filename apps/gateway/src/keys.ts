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
  /** What this installation's keys in a Redis begin with: of the oldest master key, so that a rotation does not part its nodes. */
  readonly redisPrefix: string;
}

/** Of a gateway whose data folder is all it has. @throws EnvironmentError when the key ring is not usable, or is another than the data folder's. */
export function openKeys(settings: Settings, folder: DataFolder): GatewayKeys {
  const keyRing = readKeyRing(settings, folder);
  checkMasterKeys(keyRing, folder);
  const adminToken = settings.adminToken ?? folder.keep(ADMIN_TOKEN_FILE, () => generateAdminToken());
  const bootstrapToken = keyDigest(adminToken, adminTokenHmacKeys(keyRing)[0]);
  return keysOf(keyRing, { bootstrapToken, oldest: lastOf(keyRing) });
}

export const ADMIN_TOKEN_FILE = 'admin-token';
export const MASTER_KEY_FILE = 'master-key';

type HmacKeys = readonly [HmacKey, ...HmacKey[]];

export function adminTokenHmacKeys(keyRing: KeyRing): HmacKeys {
  return nonEmpty(deriveKeys(keyRing, 'admin-token'));
}

/** The id of the key that was there first, as far as the list tells. */
export function lastOf({ active, keys }: KeyRing): string {
  return Object.keys(keys).at(-1) ?? active;
}

export interface Agreed {
  /** Made under one of the keys. */
  readonly bootstrapToken: KeyDigest;
  /** The id of the key of which comes what must not change with a rotation. */
  readonly oldest: string;
}

export function keysOf(keyRing: KeyRing, { bootstrapToken, oldest }: Agreed): GatewayKeys {
  return {
    keyRing,
    agentKeyHmacKeys: nonEmpty(deriveKeys(keyRing, 'agent-key')),
    adminTokenHmacKeys: adminTokenHmacKeys(keyRing),
    upstreamKeyKey: deriveKey(keyRing, 'upstream-key', oldest).key,
    bootstrapToken,
    viaName: nameOf(keyDigest('via', deriveKey(keyRing, 'via-name'))),
    redisPrefix: nameOf(keyDigest('redis', deriveKey(keyRing, 'redis-prefix', oldest))),
  };
}

/** Tells one installation from another, and nothing of its key. */
function nameOf({ digest }: KeyDigest): string {
  return `postern-${Buffer.from(digest).toString('hex').slice(0, 8)}`;
}

/** The key that was given, else the data folder's, which is made when it is not there. @throws EnvironmentError */
export function readKeyRing(settings: Settings, folder: DataFolder): KeyRing {
  try {
    return parseKeyRing(settings.masterKey ?? folder.keep(MASTER_KEY_FILE, () => generateMasterKey()));
  } catch (error) {
    if (!(error instanceof VaultError)) throw error;
    const source = settings.masterKey === undefined ? `${folder.path}/${MASTER_KEY_FILE}` : settings.masterKeyVariable;
    throw new EnvironmentError(
      source,
      `${error.message} Right is id:base64,… with 32 bytes each; the first seals, all open`,
    );
  }
}

/** Tells one master key from another and nothing else of it. */
export const CHECK_FILE = 'master-key-check';

/**
 * Refuses a key ring that lacks every key this data folder was used with, or has another key under one of their ids: it would
 * open no secret and know no agent key.
 */
function checkMasterKeys(keyRing: KeyRing, folder: DataFolder): void {
  const checks = keyChecks(keyRing);
  const known = JSON.parse(folder.keep(CHECK_FILE, () => JSON.stringify(checks))) as KeyChecks;
  if (!fitKeys(checks, known)) {
    throw new EnvironmentError(
      'POSTERN_MASTER_KEY',
      `is not the key that the data folder ${folder.path} was sealed with (key ids ${Object.keys(known).join(', ')}); give that one, further keys may follow it`,
    );
  }
  if (Object.keys(checks).some((id) => known[id] === undefined)) {
    folder.replace(CHECK_FILE, JSON.stringify({ ...known, ...checks }));
  }
}

/** By the id of each key. */
export type KeyChecks = Readonly<Record<string, string>>;

export function keyChecks(keyRing: KeyRing): KeyChecks {
  return Object.fromEntries(
    deriveKeys(keyRing, 'key-check').map((key) => [
      key.keyId,
      Buffer.from(keyDigest('check', key).digest).toString('hex'),
    ]),
  );
}

/** They have a key in common, and none under one id that differs. */
export function fitKeys(checks: KeyChecks, known: KeyChecks): boolean {
  const shared = Object.keys(known).filter((id) => checks[id] !== undefined);
  return shared.length > 0 && shared.every((id) => checks[id] === known[id]);
}

function nonEmpty<T>(list: readonly T[]): readonly [T, ...T[]] {
  const [first, ...rest] = list;
  if (first === undefined) throw new TypeError('a key ring has at least one key');
  return [first, ...rest];
}
