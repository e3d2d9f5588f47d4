import { createHash } from 'node:crypto';
import { canonicalJson } from '@postern/canonicalizer';
import { readDatabase } from './database.ts';

export interface StoredVersion {
  readonly number: number;
  readonly status: string;
  readonly document: string;
  readonly content_hash: string;
}

/** What the database holds of the default tenant's policy, read past the program. */
export interface StoredPolicy {
  readonly versions: readonly StoredVersion[];
  /** The canonical form of rules (removed ones aside) and risk. */
  readonly document: string;
}

const DEFAULTS = '{"deny":0.9,"review":0.5,"scorer":null}';

export function readStoredPolicy(dataFolder: string): StoredPolicy {
  // One statement, so that no commit lies between what is read.
  const [row] = readDatabase<{ versions: string; rules: string; risk: string | null }>(
    dataFolder,
    `select
      (select json_group_array(json_object('number', number, 'status', status, 'document', document, 'content_hash', content_hash))
        from (select * from policy_versions where tenant = 'default' order by number)) as versions,
      (select json_group_array(json(spec)) from (select spec from policy_rules where tenant = 'default'
        and (disabled_at is null or json_extract(spec, '$.disabled') = 1) order by id)) as rules,
      (select risk from policy_settings where tenant = 'default') as risk`,
  );
  if (row === undefined) throw new Error('the database gave no row');
  const rules = JSON.parse(row.rules) as unknown;
  const risk = JSON.parse(row.risk ?? DEFAULTS) as unknown;
  return { versions: JSON.parse(row.versions) as StoredVersion[], document: canonicalJson({ risk, rules }) };
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
