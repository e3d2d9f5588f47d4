import { visibleText } from './visible-text.ts';

/** One object that applying a document changes, as the control plane tells it. */
export interface Change {
  readonly kind: string;
  readonly name: string;
  readonly op: 'create' | 'update' | 'delete';
  readonly diff: readonly { readonly path: string; readonly from: unknown; readonly to: unknown }[];
}

const MARKS = { create: '+', update: '~', delete: '-' } as const;
const DONE = { create: 'created', update: 'updated', delete: 'deleted' } as const;
const VALUE_CHARACTERS_MAX = 120;

/** What changes, object by object, and how many. */
export function renderChanges(changes: readonly Change[], { dryRun }: { readonly dryRun: boolean }): string {
  if (changes.length === 0) return 'Nothing to change.';
  const lines = changes.flatMap(({ kind, name, op, diff }) => [
    `${MARKS[op]} ${visibleText(kind.replaceAll('_', ' '))} ${visibleText(name)}`,
    ...diff.map(
      ({ path, from, to }) =>
        `    ${visibleText(path)}: ${op === 'create' ? shown(to) : `${shown(from)} → ${shown(to)}`}`,
    ),
  ]);
  const counts = (['create', 'update', 'delete'] as const).flatMap((op) => {
    const count = changes.filter((change) => change.op === op).length;
    return count === 0 ? [] : [`${count} ${dryRun ? 'to be ' : ''}${DONE[op]}`];
  });
  return [...lines, `${counts.join(', ')}.${dryRun ? ' Nothing was changed: this was a dry run.' : ''}`].join('\n');
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return '(none)';
  const text = visibleText(JSON.stringify(value));
  return text.length > VALUE_CHARACTERS_MAX ? `${text.slice(0, VALUE_CHARACTERS_MAX)}…` : text;
}
