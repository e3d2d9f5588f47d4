import { describe, expect, test } from 'vitest';
import { Misuse } from '../exit.ts';
import { changedLimits } from './tenant-limits.ts';

describe('the limits of a tenant', () => {
  test('are shown where nothing is named', () => {
    expect(changedLimits({ agents: 1 }, {})).toBeUndefined();
  });

  test('that are named change, and the others stay', () => {
    const changed = changedLimits(
      { agents: 1, rules: 2, secrets: 3 },
      { set: ['agents=5', 'sealedBytes=9'], unset: ['rules'] },
    );
    expect(changed).toEqual({ agents: 5, secrets: 3, sealedBytes: 9 });
  });

  test('that are not there can be unset', () => {
    expect(changedLimits({}, { unset: ['rules'] })).toEqual({});
  });

  test.each(['agents', 'agents=', 'agents=many', 'agents=-1', 'agents=1.5', '=3', 'Agents=3', 'nothing=3', ''])(
    '--set %j is a misuse',
    (assignment) => {
      expect(() => changedLimits({}, { set: [assignment] })).toThrow(Misuse);
    },
  );

  test('of no such name cannot be unset', () => {
    expect(() => changedLimits({}, { unset: ['nothing'] })).toThrow(
      /there is no limit nothing; there are: callsPerSecond/,
    );
  });
});
