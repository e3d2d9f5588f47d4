import type { Origin } from '@postern/db/ports';
import { type Change, type ChangeKind, differences } from './change.ts';

/** An object as it is stored. */
export interface Stored<S, R> {
  readonly name: string;
  readonly spec: S;
  readonly origin: Origin;
  readonly record: R;
}

export interface SectionComparison<S, R> {
  readonly creations: readonly { readonly spec: S; readonly change: Change }[];
  /** Objects that the document names and the store has. Without `change` they are equal. */
  readonly matches: readonly { readonly spec: S; readonly stored: Stored<S, R>; readonly change?: Change }[];
  readonly removals: readonly { readonly stored: Stored<S, R>; readonly change: Change }[];
}

/**
 * Compares a section of the document with what is stored. What the document no longer names is removed if a document made it;
 * what was made otherwise stays, and becomes the document's when it is named there.
 */
export function compareSection<S extends object, R>(
  wanted: readonly { readonly name: string; readonly spec: S }[],
  existing: readonly Stored<S, R>[],
  options: { readonly kind: ChangeKind; readonly compact: (spec: S) => object },
): SectionComparison<S, R> {
  const { kind, compact } = options;
  const storedByName = new Map(existing.map((stored) => [stored.name, stored]));
  const wantedNames = new Set(wanted.map(({ name }) => name));
  const creations: { spec: S; change: Change }[] = [];
  const matches: { spec: S; stored: Stored<S, R>; change?: Change }[] = [];
  for (const { name, spec } of wanted) {
    const stored = storedByName.get(name);
    if (stored === undefined) {
      creations.push({ spec, change: { kind, name, op: 'create', diff: differences({}, compact(spec)) } });
      continue;
    }
    const diff = differences(stored.spec, spec);
    matches.push(diff.length === 0 ? { spec, stored } : { spec, stored, change: { kind, name, op: 'update', diff } });
  }
  const removals = existing
    .filter(({ name, origin }) => origin === 'config' && !wantedNames.has(name))
    .map((stored) => ({ stored, change: { kind, name: stored.name, op: 'delete', diff: [] } as const }));
  return { creations, matches, removals };
}
