import type { ApiNode, ApiNodes } from '@postern/client';
import { expect, test } from 'vitest';
import { judgeReadiness } from './check-gateway.ts';
import { checkNodes } from './check-nodes.ts';

const nodeOf = (name: string, change: Partial<ApiNode> = {}): ApiNode => ({
  name,
  version: '0.1.0',
  isAlive: true,
  startedAt: '2026-01-01T00:00:00.000Z',
  seenAt: '2026-01-01T00:00:00.000Z',
  clockAheadMs: 0,
  hasRedis: true,
  keyIds: ['k1'],
  ...change,
});

const findingsOf = (items: readonly ApiNode[], findings: ApiNodes['database']['findings'] = []) =>
  checkNodes({ items, database: { findings } }).map(({ status, code, about }) => [status, code, about]);

test('a gateway that is alone on its own database has nothing to say', () => {
  expect(findingsOf([])).toEqual([]);
});

test('nodes that agree are well, and those that are over do not count', () => {
  const over = nodeOf('over', { isAlive: false, hasRedis: false, version: '0', clockAheadMs: 99_999 });
  expect(findingsOf([nodeOf('one'), nodeOf('two'), over])).toEqual([['ok', undefined, 'nodes']]);
  expect(checkNodes({ items: [nodeOf('one')], database: { findings: [] } })[0]?.message).toContain('1 node works');
});

test('one node needs no Redis, two need it on both', () => {
  const without = { hasRedis: false };
  expect(findingsOf([nodeOf('one', without)])).toEqual([['ok', undefined, 'nodes']]);
  expect(findingsOf([nodeOf('one'), nodeOf('two', without)])).toEqual([
    ['warning', 'nodes-without-redis', 'nodes two'],
  ]);
});

test.each([
  [1_000, false],
  [-1_000, false],
  [1_001, true],
  [-1_001, true],
])('a clock that is %i ms ahead is told of: %s', (clockAheadMs, isTold) => {
  const expected = isTold ? [['warning', 'clock-skew', 'node one']] : [['ok', undefined, 'nodes']];
  expect(findingsOf([nodeOf('one', { clockAheadMs })])).toEqual(expected);
});

test('different versions are told, each with its node', () => {
  const [finding] = checkNodes({
    items: [nodeOf('one'), nodeOf('two', { version: '0.2.0' })],
    database: { findings: [] },
  });
  expect(finding).toMatchObject({ status: 'warning', code: 'nodes-differ' });
  expect(finding?.message).toContain('one 0.1.0, two 0.2.0');
});

test.each([
  ['ok', []],
  ['degraded', ['redis-away']],
])('a Redis that is %s leaves the gateway ready, and is told of when it is away', (redis, codes) => {
  const body = { ready: true, dependencies: { database: 'ok', redis } };
  const findings = judgeReadiness('gateway', { status: 200, body });
  expect(findings.filter(({ status }) => status === 'warning').map(({ code }) => code)).toEqual(codes);
  expect(findings.at(-1)).toMatchObject({ status: 'ok', message: 'is ready' });
});

test('a role that passes by row security is a warning, entries that a crash loses are more', () => {
  const found = [
    { code: 'superuser', message: 'The role is a superuser.' },
    { code: 'commits_before_disk', message: 'synchronous_commit is off.' },
  ];
  expect(findingsOf([nodeOf('one')], found)).toEqual([
    ['warning', 'database-role', 'database'],
    ['broken', 'database-role', 'database'],
  ]);
});
