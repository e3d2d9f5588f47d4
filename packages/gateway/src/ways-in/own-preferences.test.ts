import { describe, expect, it } from 'vitest';
import { withoutOwnPreferences } from './own-preferences.ts';

describe('the gateway’s own preferences', () => {
  it.each([
    ['wait=5', undefined],
    ['respond-async', undefined],
    ['Respond-Async, WAIT = 10', undefined],
    ['return=minimal', 'return=minimal'],
    ['wait=5, return=minimal', 'return=minimal'],
    ['return=minimal; foo="wait=5, respond-async", respond-async', 'return=minimal; foo="wait=5, respond-async"'],
    ['waiting=1', 'waiting=1'],
  ])('are taken out of Prefer: %s', (value, kept) => {
    const given = ['A', '1', 'Prefer', value, 'b', '2'];
    expect(withoutOwnPreferences(given)).toEqual(['A', '1', ...(kept === undefined ? [] : ['Prefer', kept]), 'b', '2']);
  });

  it('leave headers without any as they are', () => {
    const given = ['prefer', 'return=minimal', 'x', 'wait=5'];
    expect(withoutOwnPreferences(given)).toBe(given);
  });
});
