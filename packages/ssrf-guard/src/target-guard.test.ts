import { createFakeClock } from '@postern/testing';
import { describe, expect, it } from 'vitest';
import type { CanonicalTarget } from './parse-target.ts';
import type { Resolution } from './resolve-name.ts';
import { createTargetGuard } from './target-guard.ts';
import { compileTargetPolicy } from './target-policy.ts';

const target = (host: string, port = 443): CanonicalTarget => ({ scheme: 'https', host, port });
const ANY = compileTargetPolicy();

/** A guard on a clock that stands still, with answers that the test changes. */
function guardWith(answers: Record<string, Resolution>, hostsMax?: number) {
  const clock = createFakeClock();
  const asked: string[] = [];
  const failures: [string, unknown][] = [];
  const guard = createTargetGuard({
    resolve: async (name) => {
      asked.push(name);
      const answer = answers[name];
      if (answer === undefined) throw new Error(`no such name: ${name}`);
      return answer;
    },
    now: clock.now,
    hostsMax,
    onResolveFailure: (host, cause) => failures.push([host, cause]),
  });
  return { guard, clock, asked, failures, answers };
}

describe('createTargetGuard', () => {
  it('answers for addresses at once, with and without brackets', () => {
    const { guard, asked } = guardWith({});
    const allowed = { verdict: 'allow', scheme: 'https', port: 443, class: 'global' };
    expect(guard.judge(target('8.8.8.8'), ANY)).toEqual({ ...allowed, host: '8.8.8.8', address: '8.8.8.8' });
    for (const host of ['2600::1', '[2600::1]']) {
      expect(guard.judge(target(host), ANY)).toEqual({ ...allowed, host: '2600::1', address: '2600::1' });
    }
    expect(guard.judge(target('10.0.0.1'), ANY)).toMatchObject({ code: 'address_forbidden', class: 'private' });
    expect(asked).toEqual([]);
  });

  it('answers at once while the answer lives, with one object for all calls', async () => {
    const { guard, clock, asked } = guardWith({ 'api.example.com': { addresses: ['8.8.8.8'], ttlSeconds: 20 } });
    const first = guard.judge(target('api.example.com'), ANY);
    expect(first).toBeInstanceOf(Promise);
    const verdict = await first;
    expect(verdict).toMatchObject({ verdict: 'allow', host: 'api.example.com', address: '8.8.8.8' });
    await clock.advance(19_999);
    expect(guard.judge(target('api.example.com'), ANY)).toBe(verdict);
    await clock.advance(1);
    expect(guard.judge(target('api.example.com'), ANY)).toBeInstanceOf(Promise);
    expect(asked).toHaveLength(2);
  });

  it.each([
    [0, 1_000],
    [1, 1_000],
    [2, 2_000],
    [60, 60_000],
    [61, 60_000],
    [86_400, 60_000],
    [-5, 1_000],
    [Number.NaN, 1_000],
    [undefined, 1_000],
  ])('keeps an answer with %s seconds to live for %s ms', async (ttlSeconds, keptMs) => {
    const { guard, clock, asked } = guardWith({ a: { addresses: ['8.8.8.8'], ttlSeconds } });
    await guard.judge(target('a'), ANY);
    await clock.advance(keptMs - 1);
    expect(guard.judge(target('a'), ANY)).not.toBeInstanceOf(Promise);
    // A second policy rests on the same answer, not on a remembered verdict.
    expect(guard.judge(target('a'), compileTargetPolicy())).not.toBeInstanceOf(Promise);
    await clock.advance(1);
    expect(guard.judge(target('a'), compileTargetPolicy())).toBeInstanceOf(Promise);
    expect(guard.judge(target('a'), ANY)).toBeInstanceOf(Promise);
    expect(asked).toHaveLength(2);
  });

  it('does not trust an answer from the future when the clock is set back', async () => {
    let nowMs = 10_000;
    const resolve = async () => ({ addresses: ['8.8.8.8'], ttlSeconds: 60 });
    const guard = createTargetGuard({ resolve, now: () => nowMs });
    await guard.judge(target('a'), ANY);
    nowMs = 9_999;
    expect(guard.judge(target('a'), ANY)).toBeInstanceOf(Promise);
  });

  it('resolves a name once for all calls that wait for it', async () => {
    const waiting = Promise.withResolvers<Resolution>();
    let asked = 0;
    const resolve = () => {
      asked += 1;
      return waiting.promise;
    };
    const guard = createTargetGuard({ resolve });
    const strict = compileTargetPolicy({ ports: [8443] });
    const calls = [
      guard.judge(target('a'), ANY),
      guard.judge(target('a'), ANY),
      guard.judge(target('a', 8443), strict),
    ];
    waiting.resolve({ addresses: ['8.8.8.8'] });
    expect((await Promise.all(calls)).map(({ verdict }) => verdict)).toEqual(['allow', 'allow', 'allow']);
    expect(asked).toBe(1);
  });

  it('judges by the policy of the call, scheme and port included', async () => {
    const { guard } = guardWith({ inner: { addresses: ['10.0.0.1'], ttlSeconds: 60 }, a: { addresses: ['8.8.8.8'] } });
    const open = compileTargetPolicy({ unsafeAllowAddresses: ['10.0.0.0/8'] });
    expect(await guard.judge(target('inner'), open)).toMatchObject({ verdict: 'allow', class: 'private' });
    expect(guard.judge(target('inner'), ANY)).toMatchObject({ verdict: 'deny', code: 'address_forbidden' });
    expect(guard.judge(target('inner'), open)).toMatchObject({ verdict: 'allow', port: 443 });
    expect(guard.judge(target('inner', 8443), open)).toMatchObject({ verdict: 'allow', port: 8443 });
    expect(guard.judge({ ...target('inner', 8443), scheme: 'http' }, open)).toMatchObject({
      scheme: 'http',
      port: 8443,
    });
    const strict = compileTargetPolicy({ schemes: ['https'], hosts: ['a'], ports: [443] });
    expect(await guard.judge(target('a'), strict)).toMatchObject({ verdict: 'allow' });
    expect(guard.judge(target('b'), strict)).toEqual({ verdict: 'deny', code: 'host_not_allowed', host: 'b' });
    expect(guard.judge(target('a', 444), strict)).toEqual({ verdict: 'deny', code: 'port_not_allowed', host: 'a' });
    expect(guard.judge({ ...target('a'), scheme: 'http' }, strict)).toMatchObject({ code: 'scheme_not_allowed' });
    expect(guard.judge(target('metadata.google.internal'), open)).toMatchObject({ code: 'metadata_forbidden' });
  });

  it.each(['A', 'a.', '127.1', '[::1', '0:0::1', '::ffff:1.2.3.4', 'a b', ''])(
    'refuses %j, which is not in its one spelling',
    (host) => {
      expect(guardWith({}).guard.judge(target(host), ANY)).toEqual({ verdict: 'deny', code: 'host_invalid' });
    },
  );

  it.each([0, -1, 65_536, 1.5, Number.NaN])('refuses port %s', (port) => {
    expect(guardWith({}).guard.judge(target('a', port), ANY)).toMatchObject({ code: 'port_not_allowed' });
  });

  it('tells why a name was not resolved and asks again the next time', async () => {
    const { guard, failures, answers } = guardWith({});
    expect(await guard.judge(target('a'), ANY)).toEqual({ verdict: 'deny', code: 'resolve_failed', host: 'a' });
    expect(failures).toEqual([['a', new Error('no such name: a')]]);
    answers['a'] = { addresses: ['8.8.8.8'] };
    expect(await guard.judge(target('a'), ANY)).toMatchObject({ verdict: 'allow' });
  });

  it('survives a resolver that throws at once', async () => {
    const guard = createTargetGuard({
      resolve: () => {
        throw new Error('broken');
      },
    });
    expect(await guard.judge(target('a'), ANY)).toMatchObject({ code: 'resolve_failed' });
    expect(await guard.judge(target('a'), ANY)).toMatchObject({ code: 'resolve_failed' });
  });

  it('stays with the address it dialled while that is among the answers', async () => {
    const { guard, clock, answers } = guardWith({ a: { addresses: ['8.8.8.8', '1.1.1.1'] } });
    expect(await guard.judge(target('a'), ANY)).toMatchObject({ address: '8.8.8.8' });
    answers['a'] = { addresses: ['1.1.1.1', '9.9.9.9', '8.8.8.8'] };
    await clock.advance(1_000);
    expect(await guard.judge(target('a'), ANY)).toMatchObject({ address: '8.8.8.8' });
    answers['a'] = { addresses: ['1.1.1.1', '9.9.9.9'] };
    await clock.advance(1_000);
    expect(await guard.judge(target('a'), ANY)).toMatchObject({ address: '1.1.1.1' });
  });

  it('refuses a name as soon as a later answer has a forbidden address, and records the change', async () => {
    const { guard, clock, answers } = guardWith({ a: { addresses: ['8.8.8.8'] } });
    await guard.judge(target('a'), ANY);
    answers['a'] = { addresses: ['8.8.8.8', '192.168.0.1'] };
    await clock.advance(1_000);
    expect(await guard.judge(target('a'), ANY)).toMatchObject({ code: 'address_forbidden', address: '192.168.0.1' });
    expect(guard.rebindingObservations('a')).toEqual([
      {
        host: 'a',
        observedAtMs: clock.now(),
        before: ['8.8.8.8'],
        after: ['192.168.0.1', '8.8.8.8'],
        hasNewClass: true,
      },
    ]);
    expect(guard.rebindingObservations()).toHaveLength(1);
    expect(guard.rebindingObservations('b')).toEqual([]);
  });

  it('keeps no more names than it may', async () => {
    const answer = { addresses: ['8.8.8.8'], ttlSeconds: 60 };
    const { guard, asked } = guardWith({ a: answer, b: answer, c: answer }, 2);
    for (const host of ['a', 'b', 'c']) await guard.judge(target(host), compileTargetPolicy());
    expect(guard.judge(target('c'), compileTargetPolicy())).not.toBeInstanceOf(Promise);
    expect(guard.judge(target('b'), compileTargetPolicy())).not.toBeInstanceOf(Promise);
    await guard.judge(target('a'), compileTargetPolicy());
    expect(asked).toEqual(['a', 'b', 'c', 'a']);
  });

  it('gives right verdicts under a policy that sees many hosts', async () => {
    const { guard } = guardWith({});
    for (let index = 0; index < 600; index += 1) {
      const host = `8.8.${index >> 8}.${index & 255}`;
      expect(guard.judge(target(host), ANY)).toMatchObject({ verdict: 'allow', address: host });
    }
    expect(guard.judge(target('8.8.0.0'), ANY)).toMatchObject({ verdict: 'allow', address: '8.8.0.0' });
  });
});
