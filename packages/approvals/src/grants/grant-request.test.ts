import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { describeGrant } from './describe-grant.ts';
import {
  DEFAULT_GRANT_CAPS,
  type GrantRequest,
  grantKindsAllowed,
  narrowestGrant,
  readGrantRequest,
} from './grant-request.ts';

const now = 1_700_000_000_000;
const scope = { integration: 'github', action: 'issues.write', method: 'POST', path: '/repos/a/b/issues' };
const caps = { timesMax: 5, untilSecondsMax: 3_600, ruleSeconds: 86_400 };
const contextOf = (grant: 'once' | 'times' | 'until' | 'rule') => ({
  terms: { grant, executeSeconds: 600 },
  caps,
  scope,
  now,
});
const widest = contextOf('rule');

describe('readGrantRequest', () => {
  test('without a wish gives the call once, within the rule’s execute window', () => {
    const given = { grant: { kind: 'once', expiresAt: now + 600_000 }, executeUntil: now + 600_000 };
    expect(readGrantRequest(undefined, contextOf('once'))).toEqual(given);
    expect(readGrantRequest({ kind: 'once' }, widest)).toEqual(given);
  });

  test('gives a number of times within the same window', () => {
    expect(readGrantRequest({ kind: 'times', times: 5 }, widest)).toEqual({
      grant: { kind: 'times', times: 5, expiresAt: now + 600_000 },
      executeUntil: now + 600_000,
    });
  });

  test('gives until a time, and the stored request may be sent as long', () => {
    expect(readGrantRequest({ kind: 'until', until: now + 3_600_000 }, widest)).toEqual({
      grant: { kind: 'until', expiresAt: now + 3_600_000 },
      executeUntil: now + 3_600_000,
    });
  });

  test('gives a standing one for the tenant’s time, and its own request for the rule’s', () => {
    expect(readGrantRequest({ kind: 'rule' }, widest)).toEqual({
      grant: { kind: 'rule', scope, expiresAt: now + 86_400_000 },
      executeUntil: now + 600_000,
    });
  });

  test.each([
    ['one call more than the cap', { kind: 'times', times: 6 }, 'over_cap', 'grant.times'],
    ['a millisecond more than the cap', { kind: 'until', until: now + 3_600_001 }, 'over_cap', 'grant.until'],
    ['no times', { kind: 'times' }, 'invalid', 'grant.times'],
    ['times 0', { kind: 'times', times: 0 }, 'invalid', 'grant.times'],
    ['half a time', { kind: 'times', times: 1.5 }, 'invalid', 'grant.times'],
    ['endlessly many times', { kind: 'times', times: Number.POSITIVE_INFINITY }, 'invalid', 'grant.times'],
    ['no end', { kind: 'until' }, 'invalid', 'grant.until'],
    ['an end that is now', { kind: 'until', until: now }, 'invalid', 'grant.until'],
    ['an end that is no time', { kind: 'until', until: Number.NaN }, 'invalid', 'grant.until'],
    ['a count with another kind', { kind: 'once', times: 3 }, 'invalid', 'grant.times'],
    ['an end with another kind', { kind: 'rule', until: now + 1 }, 'invalid', 'grant.until'],
    ['a kind that is none', { kind: 'always' }, 'invalid', 'grant.kind'],
  ])('refuses %s, and cuts nothing down', (_name, request, fault, field) => {
    expect(() => readGrantRequest(request as GrantRequest, widest)).toThrow(expect.objectContaining({ fault, field }));
  });

  test.each([
    ['once', ['once']],
    ['times', ['once', 'times']],
    ['until', ['once', 'times', 'until']],
    ['rule', ['once', 'times', 'until', 'rule']],
  ] as const)('under a rule that allows %s gives that or less', (grant, allowed) => {
    const requests: GrantRequest[] = [
      { kind: 'once' },
      { kind: 'times', times: 2 },
      { kind: 'until', until: now + 1 },
      { kind: 'rule' },
    ];
    for (const request of requests) {
      const read = () => readGrantRequest(request, contextOf(grant)).grant.kind;
      if ((allowed as readonly string[]).includes(request.kind)) expect(read()).toBe(request.kind);
      else expect(read).toThrow(expect.objectContaining({ fault: 'wider_than_rule' }));
    }
    expect(grantKindsAllowed(contextOf(grant))).toEqual(allowed);
  });

  test('gives no standing one for a call without a scope', () => {
    const context = { ...widest, scope: undefined };
    expect(() => readGrantRequest({ kind: 'rule' }, context)).toThrow(expect.objectContaining({ fault: 'no_scope' }));
    expect(grantKindsAllowed(context)).toEqual(['once', 'times', 'until']);
  });

  test('with caps that are no numbers gives nothing that they limit', () => {
    const context = { ...widest, caps: { timesMax: Number.NaN, untilSecondsMax: Number.NaN, ruleSeconds: 1 } };
    expect(() => readGrantRequest({ kind: 'times', times: 1 }, context)).toThrow(
      expect.objectContaining({ fault: 'over_cap' }),
    );
    expect(() => readGrantRequest({ kind: 'until', until: now + 1 }, context)).toThrow(
      expect.objectContaining({ fault: 'over_cap' }),
    );
  });

  test('has caps of 100 calls, 7 days and 30 days by default', () => {
    expect(DEFAULT_GRANT_CAPS).toEqual({ timesMax: 100, untilSecondsMax: 7 * 86_400, ruleSeconds: 30 * 86_400 });
  });
});

describe('narrowestGrant', () => {
  test('is what each of several approvers would give at least', () => {
    expect(narrowestGrant([])).toEqual({ kind: 'once' });
    expect(narrowestGrant([{ kind: 'rule' }, undefined])).toEqual({ kind: 'once' });
    expect(
      narrowestGrant([
        { kind: 'until', until: 5 },
        { kind: 'times', times: 9 },
      ]),
    ).toEqual({ kind: 'times', times: 9 });
    expect(
      narrowestGrant([
        { kind: 'times', times: 3 },
        { kind: 'times', times: 2 },
      ]),
    ).toEqual({ kind: 'times', times: 2 });
    expect(
      narrowestGrant([
        { kind: 'until', until: 7 },
        { kind: 'until', until: 8 },
      ]),
    ).toEqual({ kind: 'until', until: 7 });
    expect(narrowestGrant([{ kind: 'rule' }, { kind: 'rule' }])).toEqual({ kind: 'rule' });
  });

  test('does not depend on who came first', () => {
    const request = fc.constantFrom<GrantRequest>(
      { kind: 'once' },
      { kind: 'times', times: 2 },
      { kind: 'times', times: 3 },
      { kind: 'until', until: 5 },
      { kind: 'until', until: 6 },
      { kind: 'rule' },
    );
    fc.assert(
      fc.property(fc.array(request, { minLength: 1 }), (requests) => {
        expect(narrowestGrant(requests.toReversed())).toEqual(narrowestGrant(requests));
      }),
    );
  });
});

describe('describeGrant', () => {
  const until = 'until 2023-11-14T22:13:20.000Z';

  test.each([
    [{ kind: 'once', expiresAt: now }, `This exact request, once, ${until}.`],
    [{ kind: 'times', times: 1, expiresAt: now }, `This exact request, once, ${until}.`],
    [{ kind: 'times', times: 3, expiresAt: now }, `This exact request, 3 times, ${until}.`],
    [{ kind: 'until', expiresAt: now }, `This exact request, as often as the agent sends it, ${until}.`],
    [
      { kind: 'rule', scope, expiresAt: now },
      'All POST requests of agent coder to /repos/a/b/issues of integration github (action issues.write), with any query, ' +
        `headers and body, as often as it sends them, ${until}. No deny is lifted.`,
    ],
  ] as const)('says of %o what passes', (terms, words) => {
    expect(describeGrant(terms, 'coder')).toBe(words);
  });

  test('names the lack of an action, and shows nothing that hides', () => {
    const words = describeGrant(
      { kind: 'rule', scope: { integration: 'github', method: 'PUT', path: '/a\u202eb' }, expiresAt: now },
      'co\u200bder',
    );
    expect(words).toContain('calls of no named action');
    expect(words).toContain('agent co\\u{200b}der to /a\\u{202e}b');
  });
});
