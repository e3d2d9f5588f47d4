import type { ApiPolicyDiff } from '@postern/client';
import { visibleText } from './visible-text.ts';

const MARKS = { added: '+', removed: '-', changed: '~', disabled: '~', enabled: '~' } as const;

/** One line a change, under a line that says between which versions. */
export function renderPolicyDiff({ from, to, changes }: ApiPolicyDiff): string {
  const before = from === null ? 'nothing' : `version ${from.number}`;
  if (changes.length === 0) return `Version ${to.number} decides as ${before} does.`;
  const lines = changes.map(({ op, words }) => `${MARKS[op]} ${visibleText(words)}`);
  return [`From ${before} to version ${to.number}:`, ...lines].join('\n');
}
