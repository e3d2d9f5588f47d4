import { generateAdminToken, type KeyDigest, keyDigest, verifyKeyDigest } from '@postern/auth';
import type { InstanceMarksPort } from '@postern/db/ports';
import type { KeyRing } from '@postern/vault';
import type { DataFolder } from '../data-folder.ts';
import { EnvironmentError } from '../environment.ts';
import {
  ADMIN_TOKEN_FILE,
  adminTokenHmacKeys,
  fitKeys,
  type KeyChecks,
  keyChecks,
  lastOf,
  MASTER_KEY_FILE,
  readKeyRing,
} from '../keys.ts';
import type { Settings } from '../settings.ts';

export interface SharedKeyParts {
  readonly settings: Settings;
  readonly folder: DataFolder;
  readonly marks: InstanceMarksPort;
}

/** Under which the database remembers what tells its master keys from others. */
export const KEYS_MARK = 'master-keys';
const OLDEST_MARK = 'oldest-master-key';
const TOKEN_MARK = 'bootstrap-token';

/**
 * The master keys of a node whose database others use too. The database remembers what tells its keys from others: a node with another
 * key would open no secret, know no agent key and seal what no other node can open, and is refused before it does any of that.
 *
 * The first node may have made its key in its data folder. All others are given it; none makes one of its own.
 *
 * @throws EnvironmentError, DbError
 */
export async function openSharedKeyRing({ settings, folder, marks }: SharedKeyParts): Promise<KeyRing> {
  const known = await marks.find(KEYS_MARK);
  const isMade = settings.masterKey === undefined && folder.find(MASTER_KEY_FILE) === undefined;
  if (isMade && known !== undefined) throw keyNeeded(known);
  const keyRing = readKeyRing(settings, folder);
  const checks = keyChecks(keyRing);
  for (let standing = await marks.keep(KEYS_MARK, JSON.stringify(checks)); ; ) {
    const read = readChecks(standing);
    if (!fitKeys(checks, read)) {
      // Another node was quicker; what was made here has sealed nothing.
      if (isMade) folder.remove(MASTER_KEY_FILE);
      throw isMade ? keyNeeded(standing) : otherKey(settings, folder, read);
    }
    if (Object.keys(checks).every((id) => read[id] !== undefined)) return keyRing;
    if (await marks.replace(KEYS_MARK, standing, JSON.stringify({ ...read, ...checks }))) return keyRing;
    standing = await marks.keep(KEYS_MARK, standing);
  }
}

function readChecks(text: string): KeyChecks {
  return JSON.parse(text) as KeyChecks;
}

const SAME_KEY =
  'give this node the same POSTERN_MASTER_KEY as the others, or as POSTERN_MASTER_KEY_FILE a copy of the file master-key of the first node’s data folder';

function keyNeeded(known: string): EnvironmentError {
  const ids = Object.keys(readChecks(known)).join(', ');
  return new EnvironmentError(
    'POSTERN_MASTER_KEY',
    `is needed, for the database is sealed with the key of another node (key ids ${ids}); ${SAME_KEY}`,
  );
}

function otherKey({ masterKey, masterKeyVariable }: Settings, folder: DataFolder, known: KeyChecks): EnvironmentError {
  const ids = Object.keys(known).join(', ');
  return masterKey === undefined
    ? new EnvironmentError(
        'POSTERN_MASTER_KEY',
        `the file ${folder.path}/${MASTER_KEY_FILE} is not the key that the database was sealed with (key ids ${ids}); ${SAME_KEY}`,
      )
    : new EnvironmentError(
        masterKeyVariable,
        `is not the key that the database was sealed with (key ids ${ids}); give that one, further keys may follow it`,
      );
}

/**
 * The bootstrap owner's token, the same on all nodes. A node that is given none takes the one that the database knows by its digest; one
 * that is given another is refused while others run with the former, and else replaces it.
 *
 * @throws EnvironmentError, DbError
 */
export async function sharedBootstrapToken(
  { settings, folder, marks }: SharedKeyParts,
  keyRing: KeyRing,
  hasOthers: boolean,
): Promise<KeyDigest> {
  const hmacKeys = adminTokenHmacKeys(keyRing);
  const given = settings.adminToken ?? folder.find(ADMIN_TOKEN_FILE);
  if (given === undefined) {
    const known = await marks.find(TOKEN_MARK);
    if (known !== undefined) return usableToken(known, keyRing);
  }
  const token = given ?? folder.keep(ADMIN_TOKEN_FILE, () => generateAdminToken());
  const own = keyDigest(token, hmacKeys[0]);
  const standing = await marks.keep(TOKEN_MARK, markOf(own));
  const stored = tokenOf(standing);
  if (verifyKeyDigest(token, stored, hmacKeys)) return stored;
  if (given === undefined) {
    // Another node was quicker.
    folder.remove(ADMIN_TOKEN_FILE);
    return usableToken(standing, keyRing);
  }
  if (hasOthers || !(await marks.replace(TOKEN_MARK, standing, markOf(own)))) throw otherToken(settings, folder);
  return own;
}

/**
 * The id of the key that idempotency keys for upstreams are made with, the same on all nodes whatever the order of their lists: the first that
 * the database was used with, as long as it is given.
 *
 * @throws EnvironmentError, DbError
 */
export async function sharedOldestKey(
  { settings, marks }: Pick<SharedKeyParts, 'settings' | 'marks'>,
  keyRing: KeyRing,
  hasOthers: boolean,
): Promise<string> {
  const own = lastOf(keyRing);
  const standing = await marks.keep(OLDEST_MARK, own);
  if (keyRing.keys[standing] !== undefined) return standing;
  if (!hasOthers && (await marks.replace(OLDEST_MARK, standing, own))) return own;
  throw new EnvironmentError(
    settings.masterKeyVariable,
    `lacks the key ${standing}, with which the nodes that run make idempotency keys for upstreams; an old key is dropped with all nodes stopped`,
  );
}

function markOf({ keyId, digest }: KeyDigest): string {
  return `${keyId}:${Buffer.from(digest).toString('base64')}`;
}

function tokenOf(mark: string): KeyDigest {
  const colon = mark.lastIndexOf(':');
  return { keyId: mark.slice(0, colon), digest: new Uint8Array(Buffer.from(mark.slice(colon + 1), 'base64')) };
}

function usableToken(mark: string, keyRing: KeyRing): KeyDigest {
  const token = tokenOf(mark);
  if (keyRing.keys[token.keyId] !== undefined) return token;
  throw new EnvironmentError(
    'POSTERN_ADMIN_TOKEN',
    `is needed, for the one that the database knows was recorded under the master key ${token.keyId}, which this node has not`,
  );
}

function otherToken({ adminToken }: Settings, folder: DataFolder): EnvironmentError {
  return adminToken === undefined
    ? new EnvironmentError(
        'POSTERN_ADMIN_TOKEN',
        `the file ${folder.path}/${ADMIN_TOKEN_FILE} holds another token than that of the nodes that run; remove it, and this node takes theirs`,
      )
    : new EnvironmentError(
        'POSTERN_ADMIN_TOKEN',
        'is not the token of the nodes that run; give this node theirs or none, or stop all nodes to change it',
      );
}
