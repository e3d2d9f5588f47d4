import { describe, expect, it } from 'vitest';
import { createRebindingLog } from './rebinding-log.ts';

const HOUR_MS = 3_600_000;
const global = (...texts: string[]) => texts.map((text) => ({ text, class: 'global' }));

describe('createRebindingLog', () => {
  it('records a changed answer, not a rotated one', () => {
    const log = createRebindingLog(() => 5, 10);
    log.observe('a', global('8.8.8.8', '1.1.1.1'));
    log.observe('a', global('1.1.1.1', '8.8.8.8'));
    expect(log.list()).toEqual([]);
    log.observe('a', global('1.1.1.1', '9.9.9.9'));
    log.observe('a', [...global('1.1.1.1'), { text: '10.0.0.1', class: 'private' }]);
    expect(log.list('a')).toEqual([
      { host: 'a', observedAtMs: 5, before: ['1.1.1.1', '8.8.8.8'], after: ['1.1.1.1', '9.9.9.9'], hasNewClass: false },
      { host: 'a', observedAtMs: 5, before: ['1.1.1.1', '9.9.9.9'], after: ['1.1.1.1', '10.0.0.1'], hasNewClass: true },
    ]);
    expect(log.list('b')).toEqual([]);
  });

  it('forgets an observation after 24 hours', () => {
    let nowMs = 0;
    const log = createRebindingLog(() => nowMs, 10);
    log.observe('a', global('8.8.8.8'));
    log.observe('a', global('1.1.1.1'));
    nowMs = 24 * HOUR_MS - 1;
    log.observe('b', global('8.8.8.8'));
    log.observe('b', global('1.1.1.1'));
    expect(log.list().map(({ host }) => host)).toEqual(['a', 'b']);
    nowMs = 24 * HOUR_MS;
    expect(log.list().map(({ host }) => host)).toEqual(['b']);
  });

  it('keeps the last 100 observations of a host', () => {
    let nowMs = 0;
    const log = createRebindingLog(() => nowMs, 10);
    for (; nowMs <= 100; nowMs += 1) log.observe('a', global(`8.8.8.${nowMs}`));
    expect(log.list('a')).toHaveLength(100);
    expect(log.list('a')[0]?.observedAtMs).toBe(1);
    log.observe('a', global('8.8.8.200'));
    expect(log.list('a')).toHaveLength(100);
    expect(log.list('a')[0]?.observedAtMs).toBe(2);
  });

  it('forgets the host that was resolved longest ago when there are too many', () => {
    const log = createRebindingLog(() => 0, 2);
    for (const host of ['a', 'b']) {
      log.observe(host, global('8.8.8.8'));
      log.observe(host, global('1.1.1.1'));
    }
    log.observe('a', global('1.1.1.1'));
    log.observe('c', global('8.8.8.8'));
    expect(log.list().map(({ host }) => host)).toEqual(['a']);
  });
});
