import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Admission, type BreakerSettings, CircuitBreaker, REFUSED } from './breaker.ts';

const SETTINGS = { failures: 3, windowMs: 1_000, openMs: 5_000 };

function setUp(settings: Partial<BreakerSettings> = {}) {
  const clock = { nowMs: 100_000 };
  const breaker = new CircuitBreaker({ ...SETTINGS, ...settings }, () => clock.nowMs);
  const attempt = (end: 'succeeded' | 'failed') => breaker[end](breaker.admit());
  return { clock, breaker, fail: () => attempt('failed'), succeed: () => attempt('succeeded') };
}

describe('a closed breaker', () => {
  test('opens at the last of the failures that it bears, not before', () => {
    const { breaker, fail } = setUp();
    fail();
    fail();
    expect([breaker.state, breaker.isRefusing()]).toEqual(['closed', false]);
    fail();
    expect([breaker.state, breaker.isRefusing()]).toEqual(['open', true]);
    expect(breaker.admit()).toBe(REFUSED);
  });

  test.each([
    ['within the window', 1_000, 'open'],
    ['a millisecond beyond it', 1_001, 'closed'],
  ])('counts failures that lie %s', (_name, apartMs, state) => {
    const { breaker, clock, fail } = setUp();
    fail();
    clock.nowMs += apartMs;
    fail();
    fail();
    expect(breaker.state).toBe(state);
  });

  test('forgets no failure for a success between', () => {
    const { breaker, fail, succeed } = setUp();
    fail();
    succeed();
    fail();
    succeed();
    fail();
    expect(breaker.state).toBe('open');
  });

  test.each([
    ['half of the attempts since the first failure', 3, 'open'],
    ['less than half of them', 4, 'closed'],
  ])('looks at the share: %s', (_name, successes, state) => {
    const { breaker, fail, succeed } = setUp();
    fail();
    fail();
    for (let i = 0; i < successes; i++) succeed();
    fail();
    expect(breaker.state).toBe(state);
  });

  test('does not mind how much went well before the first failure', () => {
    const { breaker, fail, succeed } = setUp();
    for (let i = 0; i < 100_000; i++) succeed();
    fail();
    fail();
    fail();
    expect(breaker.state).toBe('open');
  });

  test('stays closed for one failure in ten, for ever', () => {
    const { breaker, clock, fail, succeed } = setUp();
    for (let i = 0; i < 10_000; i++) {
      if (i % 10 === 0) fail();
      else succeed();
      clock.nowMs += 1;
    }
    expect(breaker.state).toBe('closed');
  });

  test('opens soon when an upstream that failed now and then fails for good', () => {
    const { breaker, clock, fail, succeed } = setUp();
    for (let i = 0; i < 1_000; i++) {
      if (i % 100 === 0) fail();
      else succeed();
      clock.nowMs += 10;
    }
    let failures = 0;
    while (breaker.state === 'closed' && failures < 1_000) {
      fail();
      failures += 1;
      clock.nowMs += 10;
    }
    expect(failures).toBeLessThan(150);
  });

  test('is not opened by attempts that say nothing of the upstream', () => {
    const { breaker } = setUp({ failures: 1 });
    for (let i = 0; i < 10; i++) breaker.released(breaker.admit());
    expect(breaker.state).toBe('closed');
  });
});

describe('an open breaker', () => {
  const open = () => {
    const setting = setUp();
    for (let i = 0; i < SETTINGS.failures; i++) setting.fail();
    return setting;
  };

  test('refuses for openMs, says how long, and then lets one probe through', () => {
    const { breaker, clock } = open();
    clock.nowMs += 4_999;
    expect([breaker.admit(), breaker.retryAfterMs(), breaker.state]).toEqual([REFUSED, 1, 'open']);
    clock.nowMs += 1;
    expect([breaker.isRefusing(), breaker.retryAfterMs(), breaker.state]).toEqual([false, 0, 'half_open']);
    const admissions = Array.from({ length: 50 }, () => breaker.admit());
    expect(admissions.filter((admission) => admission !== REFUSED)).toHaveLength(1);
    expect([breaker.isRefusing(), breaker.state]).toEqual([true, 'half_open']);
  });

  test('closes when its probe succeeds, with a clean slate', () => {
    const { breaker, clock, fail } = open();
    clock.nowMs += 5_000;
    breaker.succeeded(breaker.admit());
    expect(breaker.state).toBe('closed');
    fail();
    fail();
    expect(breaker.state).toBe('closed');
    fail();
    expect(breaker.state).toBe('open');
  });

  test('stays open for another openMs when its probe fails', () => {
    const { breaker, clock } = open();
    clock.nowMs += 5_000;
    breaker.failed(breaker.admit());
    expect([breaker.state, breaker.retryAfterMs()]).toEqual(['open', 5_000]);
    clock.nowMs += 5_000;
    expect(breaker.admit()).not.toBe(REFUSED);
  });

  test('gives the place of a probe that ended without a verdict to the next', () => {
    const { breaker, clock } = open();
    clock.nowMs += 5_000;
    const first = breaker.admit();
    breaker.released(first);
    expect(breaker.isRefusing()).toBe(false);
    expect(breaker.admit()).not.toBe(REFUSED);
    expect(breaker.admit()).toBe(REFUSED);
  });

  test.each(['succeeded', 'failed', 'released'] as const)('is not moved by an attempt of before that %s', (end) => {
    const { breaker, clock, fail } = setUp();
    const early = [breaker.admit(), breaker.admit()] as [Admission, Admission];
    for (let i = 0; i < SETTINGS.failures; i++) fail();
    breaker[end](early[0]);
    expect(breaker.state).toBe('open');
    clock.nowMs += 5_000;
    const probe = breaker.admit();
    breaker[end](early[1]);
    expect([breaker.state, breaker.admit()]).toEqual(['half_open', REFUSED]);
    breaker.succeeded(probe);
    expect(breaker.state).toBe('closed');
  });

  test('is not fooled by a verdict that is given twice', () => {
    const { breaker, clock } = open();
    clock.nowMs += 5_000;
    const probe = breaker.admit();
    breaker.succeeded(probe);
    breaker.failed(probe);
    expect(breaker.state).toBe('closed');
  });
});

test('whatever happens: never open without enough failures in the window, never two probes, never stuck', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('admit' as const) }),
    fc.record({
      kind: fc.constantFrom('succeeded' as const, 'failed' as const, 'released' as const),
      which: fc.nat(5),
    }),
    fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(6_000) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const { breaker, clock } = setUp();
      const running: Admission[] = [];
      let failures: number[] = [];
      for (const one of steps) {
        const before = breaker.state;
        if (one.kind === 'wait') clock.nowMs += one.ms;
        else if (one.kind === 'admit') {
          const admission = breaker.admit();
          if (admission !== REFUSED) running.push(admission);
          // Half open: whoever is admitted is the only one of its epoch.
          if (before !== 'closed') expect(running.filter((other) => other === admission).length).toBeLessThanOrEqual(1);
        } else {
          const [admission] = running.splice(one.which, 1);
          if (admission === undefined) continue;
          if (one.kind === 'failed') failures.push(clock.nowMs);
          breaker[one.kind](admission);
          failures = failures.filter((at) => clock.nowMs - at <= SETTINGS.windowMs);
          if (before === 'closed' && breaker.state === 'open')
            expect(failures.length).toBeGreaterThanOrEqual(SETTINGS.failures);
        }
      }
      for (const admission of running) breaker.released(admission);
      clock.nowMs += SETTINGS.openMs;
      expect(breaker.admit()).not.toBe(REFUSED);
    }),
    { numRuns: 500 },
  );
});
