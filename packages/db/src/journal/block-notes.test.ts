import type { Entry } from '@postern/schemas';
import { describe, expect, test } from 'vitest';
import { BLOCK_ENTRIES, NO_TERM, TERM_FIELDS, termOf } from '../audit-terms.ts';
import { BlockNotes } from './block-notes.ts';

const entryAt = (seq: number, change: Partial<Entry> = {}): Entry => ({
  v: 1,
  id: `id-${seq}`,
  seq,
  at: 5_000 + seq,
  tenant: 'acme',
  type: 'intent',
  agent: 'coder',
  ...change,
});

/** Notes the entries from `from` up to `to`. */
function noteSome(notes: BlockNotes, { from, to, log = 1 }: { from: number; to: number; log?: number }): void {
  for (let seq = from; seq < to; seq++) notes.note(log, seq, entryAt(seq));
}

describe('notes of a block', () => {
  test('are there when its last entry is, once, with what its entries say at their places', () => {
    const notes = new BlockNotes();
    notes.note(1, BLOCK_ENTRIES, entryAt(0, { at: 9_999_999, type: 'denied', decision: 'deny' }));
    noteSome(notes, { from: BLOCK_ENTRIES + 1, to: 2 * BLOCK_ENTRIES - 1 });
    expect(notes.takeWhole()).toEqual([]);
    notes.note(1, 2 * BLOCK_ENTRIES - 1, entryAt(0, { at: 3 }));
    const [block] = notes.takeWhole();
    expect(block).toMatchObject({ log: 1, block: 1, times: { min: 3, max: 9_999_999 } });
    const told = (field: (typeof TERM_FIELDS)[number], place: number) =>
      block?.terms[TERM_FIELDS.indexOf(field)]?.[place];
    expect(told('type', 0)).toBe(termOf('type', 'denied'));
    expect(told('type', 1)).toBe(termOf('type', 'intent'));
    expect(told('decision', 0)).toBe(termOf('decision', 'deny'));
    expect(told('decision', 1)).toBe(NO_TERM);
    expect(told('agent', BLOCK_ENTRIES - 1)).toBe(termOf('agent', 'coder'));
    expect(notes.takeWhole()).toEqual([]);
  });

  test('are none after what was noted may not be stored, even where places follow each other', () => {
    const notes = new BlockNotes();
    noteSome(notes, { from: 0, to: 10 });
    notes.forget();
    // Somebody else has stored ten entries in their place.
    noteSome(notes, { from: 10, to: BLOCK_ENTRIES });
    expect(notes.takeWhole()).toEqual([]);
    noteSome(notes, { from: BLOCK_ENTRIES, to: 2 * BLOCK_ENTRIES });
    notes.forget();
    expect(notes.takeWhole()).toEqual([]);
  });

  test('are none of a block that was not seen from its first entry on, or that has a gap', () => {
    const notes = new BlockNotes();
    noteSome(notes, { from: 1, to: BLOCK_ENTRIES });
    noteSome(notes, { from: BLOCK_ENTRIES, to: BLOCK_ENTRIES + 10 });
    noteSome(notes, { from: BLOCK_ENTRIES + 11, to: 2 * BLOCK_ENTRIES });
    expect(notes.takeWhole()).toEqual([]);
  });

  test('are kept of 64 logs that grow at once: with one more, the one that began first is read later', () => {
    const notes = new BlockNotes();
    for (let log = 1; log <= 65; log++) noteSome(notes, { from: 0, to: 1, log });
    for (let log = 1; log <= 65; log++) noteSome(notes, { from: 1, to: BLOCK_ENTRIES, log });
    expect(notes.takeWhole().map(({ log }) => log)).toEqual(Array.from({ length: 64 }, (_, index) => index + 2));
  });
});
