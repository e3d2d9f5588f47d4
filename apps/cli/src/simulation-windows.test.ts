import type { ApiSimulation, SimulationQuery } from '@postern/client';
import { expect, test } from 'vitest';
import { gatherWindows } from './simulation-windows.ts';

const at = '2026-03-01T12:00:00.000Z';
const allow = { outcome: 'allow', rule: 'reads' } as const;
const window = (changed: number, more: Partial<ApiSimulation> = {}): ApiSimulation => ({
  from: '2026-03-01T00:00:00.000Z',
  to: at,
  policies: { current: 'a', draft: 'b' },
  calls: changed + 1,
  unchanged: 1,
  changed: Array.from({ length: changed }, () => ({
    at,
    before: allow,
    after: { outcome: 'deny', rule: 'no' } as const,
  })),
  byRule: [{ rule: 'no', before: 'allow', after: 'deny', calls: changed }],
  undetermined: [],
  notRecorded: [{ at, reason: 'gone' }],
  unkept: [{ name: 'request.body', calls: changed + 1 }],
  warnings: [],
  oldest: at,
  truncated: true,
  nextCursor: 'c1',
  ...more,
});

/** Answers the windows one after the other, and keeps what was asked. */
function serve(...windows: readonly ApiSimulation[]) {
  const asked: SimulationQuery[] = [];
  const ask = async (query: SimulationQuery) => {
    asked.push(query);
    const answer = windows[asked.length - 1];
    if (answer === undefined) throw new Error('one window too many was asked for');
    return answer;
  };
  return { asked, ask };
}

const progress: string[] = [];
const options = { callsMax: 100, windowCalls: 5, onProgress: (text: string) => progress.push(text) };

test('windows are asked for within the range of the first, and joined', async () => {
  const { nextCursor: _none, ...last } = window(2, { truncated: false, oldest: '2026-03-01T01:00:00.000Z' });
  const { asked, ask } = serve(window(3), window(1, { nextCursor: 'c2' }), last);
  const whole = await gatherWindows(ask, { since: '12h' }, options);
  expect(asked).toEqual([
    { since: '12h', limit: 5 },
    { from: whole.from, to: at, cursor: 'c1', limit: 5 },
    { from: whole.from, to: at, cursor: 'c2', limit: 5 },
  ]);
  expect(whole).toMatchObject({
    calls: 9,
    unchanged: 3,
    byRule: [{ rule: 'no', before: 'allow', after: 'deny', calls: 6 }],
    unkept: [{ name: 'request.body', calls: 9 }],
    oldest: '2026-03-01T01:00:00.000Z',
    truncated: false,
  });
  expect(whole.changed).toHaveLength(6);
  expect(whole.notRecorded).toHaveLength(3);
  expect(whole).not.toHaveProperty('nextCursor');
  expect(progress).toHaveLength(2);
  expect(progress[1]).toMatch(/^Looked at 8 calls, back to /);
});

test('no more calls are looked at than asked for', async () => {
  const { asked, ask } = serve(window(3), window(0));
  const whole = await gatherWindows(ask, {}, { ...options, callsMax: 7 });
  expect(asked.map(({ limit }) => limit)).toEqual([5, 2]);
  expect(whole).toMatchObject({ calls: 5, truncated: true });
});

test('a policy that changes between two windows is no policy to compare with', async () => {
  const { ask } = serve(window(3), window(1, { policies: { current: 'c', draft: 'b' } }));
  await expect(gatherWindows(ask, {}, options)).rejects.toThrow('The policy in force changed');
});
