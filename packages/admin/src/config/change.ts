import { isDeepStrictEqual } from 'node:util';
import type { TenantWrite } from '../tenant-write.ts';

export const CHANGE_KINDS = [
  'secret',
  'template',
  'integration',
  'agent',
  'rule',
  'global_rule',
  'risk',
  'notification',
] as const;
export type ChangeKind = (typeof CHANGE_KINDS)[number];

/** One member that differs; null stands for an absent one. Values of secrets and keys are never in it. */
export interface Difference {
  readonly path: string;
  readonly from: unknown;
  readonly to: unknown;
}

/** What applying a document does to one object. */
export interface Change {
  readonly kind: ChangeKind;
  readonly name: string;
  readonly op: 'create' | 'update' | 'delete';
  /** Of a creation the members that are not at their defaults, of a deletion none. */
  readonly diff: readonly Difference[];
}

/** A change with the writes that bring it about. Without `change` the writes alter only who an object belongs to. */
export interface PlannedWrite {
  readonly change?: Change;
  run(write: TenantWrite): Promise<void>;
}

/** The members in which `to` differs from `from`, objects taken apart, lists compared whole. */
export function differences(from: object, to: object, prefix = ''): readonly Difference[] {
  const names = [...new Set([...Object.keys(from), ...Object.keys(to)])];
  return names.flatMap((name) => {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    const [before, after] = [memberOf(from, name), memberOf(to, name)];
    if (isPlainObject(before) && isPlainObject(after)) return differences(before, after, path);
    return isDeepStrictEqual(before, after) ? [] : [{ path, from: before, to: after }];
  });
}

function memberOf(object: object, name: string): unknown {
  return (object as Record<string, unknown>)[name] ?? null;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
