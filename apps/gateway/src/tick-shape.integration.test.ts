import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const FIXTURE = join(import.meta.dirname, 'tick-shape.fixture.ts');

function learned(how: 'kept' | 'as-it-is'): string[] {
  return execFileSync(process.execPath, [FIXTURE, how], { encoding: 'utf8' }).split(' ');
}

test('a collection of the heap makes nextTick slow, and does not where its shape is kept', () => {
  expect(learned('as-it-is')).toContain('MEGAMORPHIC');
  const kept = learned('kept');
  expect(kept.length).toBeGreaterThan(1);
  expect(new Set(kept)).toEqual(new Set(['MONOMORPHIC']));
});
