import type { ApiSimulation } from '@postern/client';
import { expect, test } from 'vitest';
import { renderSimulation } from './simulation.ts';
import { localTime } from './times.ts';

const at = '2026-03-01T12:00:00.000Z';
const call = {
  requestId: 'r',
  at,
  agent: 'coder',
  integration: 'api',
  method: 'GET',
  url: 'https://api.example.com/x',
};
const NOTHING: ApiSimulation = {
  from: '2026-03-01T00:00:00.000Z',
  to: at,
  policies: { current: 'a', draft: 'b' },
  calls: 0,
  unchanged: 0,
  changed: [],
  byRule: [],
  undetermined: [],
  notRecorded: [],
  unkept: [],
  warnings: [],
  truncated: false,
};
const layout = { all: false, columns: undefined };
const linesOf = (simulation: Partial<ApiSimulation>, more: object = {}) =>
  renderSimulation({ ...NOTHING, ...simulation }, { ...layout, ...more }).split('\n');

test('what would change is told in words, by rule, then call by call', () => {
  const before = { outcome: 'allow', rule: 'reads' } as const;
  const lines = linesOf({
    calls: 1_203,
    unchanged: 1_200,
    changed: [
      { ...call, before, after: { outcome: 'deny', rule: 'no-x' } },
      { ...call, before, after: { outcome: 'deny', rule: null } },
      { ...call, before: { outcome: 'deny', rule: null }, after: { outcome: 'require_approval', rule: 'ask' } },
    ],
    byRule: [
      { rule: 'no-x', before: 'allow', after: 'deny', calls: 1 },
      { rule: 'reads', before: 'allow', after: 'deny', calls: 1 },
      { rule: 'ask', before: 'deny', after: 'require_approval', calls: 1 },
    ],
  });
  expect(lines).toEqual([
    `1,203 recorded calls between ${localTime(NOTHING.from)} and ${localTime(at)}: 1,200 unchanged, 3 changed, 0 undetermined.`,
    '',
    'The draft changes:',
    '  1 call that is allowed now would be denied, by rule no-x',
    '  1 call that is allowed now would be denied, without rule reads',
    '  1 call that is denied now would be held for approval, by rule ask',
    '',
    'TIME                 AGENT  CALL                           BEFORE         AFTER',
    `${localTime(at)}  coder  GET https://api.example.com/x  allow (reads)  deny (no-x)`,
    `${localTime(at)}  coder  GET https://api.example.com/x  allow (reads)  deny`,
    `${localTime(at)}  coder  GET https://api.example.com/x  deny           require_approval (ask)`,
  ]);
});

test('what cannot be told, and what cannot be tried, stand apart with their reasons', () => {
  const message = 'reads request.body, not kept of this call';
  const open = {
    ...call,
    before: ['deny', 'allow'],
    after: ['deny'],
    rules: [
      { policy: 'current', rule: 'small', message },
      { policy: 'draft', rule: 'small', message },
      { policy: 'draft', rule: 'risk', message: 'depends on arguments that were not kept' },
    ],
  } as const;
  const lines = linesOf({
    calls: 2,
    undetermined: [open, open],
    notRecorded: [{ at, integration: 'gone', method: 'GET', reason: 'integration gone is there no more' }],
    unkept: [
      { name: 'request.body', calls: 2 },
      { name: 'agent.roles', calls: 1 },
    ],
  });
  expect(lines).toContain('  2 calls: rule small reads request.body, not kept of this call');
  expect(lines).toContain('  2 calls: the risk depends on arguments that were not kept');
  expect(lines.filter((line) => line.endsWith('deny or allow  deny'))).toHaveLength(2);
  expect(lines).toContain('1 more call cannot be tried again:');
  expect(lines).toContain(`${localTime(at)}  -      GET gone  integration gone is there no more`);
  expect(lines.at(-1)).toBe('Not kept by the log: request.body, agent.roles (1 call).');
});

test('what risk may make of a change stands beside it', () => {
  const after = { outcome: 'allow', rule: 'all', possible: ['allow', 'require_approval'] } as const;
  const lines = linesOf({ calls: 1, changed: [{ ...call, before: { outcome: 'deny', rule: null }, after }] });
  expect(lines.at(-1)).toContain('deny    allow (all) or by risk require_approval');
});

test('fifty calls of a kind are listed, or all', () => {
  const before = { outcome: 'allow', rule: 'reads' } as const;
  const changed = Array.from({ length: 51 }, () => ({
    ...call,
    before,
    after: { outcome: 'deny', rule: 'x' } as const,
  }));
  const ofCalls = (lines: string[]) => lines.filter((line) => line.includes('https://')).length;
  const some = linesOf({ calls: 51, changed });
  expect(ofCalls(some)).toBe(50);
  expect(some).toContain('and 1 more call; --all lists them.');
  expect(ofCalls(linesOf({ calls: 51, changed }, { all: true }))).toBe(51);
  expect(linesOf({ calls: 50, changed: changed.slice(1) }).join()).not.toContain('--all');
});

test('a range that was cut begins where it was left; one without calls says so', () => {
  const oldest = '2026-03-01T11:00:00.000Z';
  expect(linesOf({ truncated: true, oldest })[0]).toContain(`between ${localTime(oldest)} and`);
  expect(linesOf({})).toContain('Nothing was recorded in that time to try the draft on.');
});

test('what agents wrote moves no cursor', () => {
  const text = renderSimulation(
    { ...NOTHING, notRecorded: [{ ...call, url: 'https://x/\u001b[2J', reason: 'a\nb' }] },
    layout,
  );
  expect(text).toContain('\\u{1b}[2J');
  expect(text).toContain('a\\nb');
});
