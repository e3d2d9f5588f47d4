import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Facts } from './call.ts';
import { compilePolicy } from './compile-policy.ts';
import { decide } from './decide.ts';
import { factsOf } from './facts.test-support.ts';
import { compileActions } from './match-action.ts';
import { judgeRecorded } from './simulate/judge-recorded.ts';

/**
 * A plain path, the same path in another spelling that some upstream reads as the plain one, and a policy: the other spelling is never
 * judged more loosely.
 */

/** Each takes segments and a place among them, and answers the path spelled otherwise. */
type Trick = (segments: readonly string[], at: number) => string[];

const at = (change: (segment: string) => string): Trick => {
  return (segments, place) =>
    segments.map((segment, index) => (index === place % segments.length ? change(segment) : segment));
};
const before = (...added: string[]): Trick => {
  return (segments, place) => segments.toSpliced(place % segments.length, 0, ...added);
};
const hex = (character: string) => character.charCodeAt(0).toString(16).toUpperCase();
/** The first letter that is none of an escape: tricks are played on top of each other. */
const first = (change: (letter: string) => string) => (segment: string) => segment.replace(/^[a-z]/i, change);

const SLASHES: Record<string, Trick> = {
  'an empty segment': before(''),
  'two empty segments': before('', ''),
  'an empty segment at the end': (segments) => [...segments, ''],
};
const ENCODINGS: Record<string, Trick> = {
  'a letter encoded twice': at(first((letter) => `%25${hex(letter)}`)),
  'a letter encoded four times': at(first((letter) => `%252525${hex(letter)}`)),
  'a letter encoded twice, its digits too': at(
    first((letter) => `%25%2532%2535${hex(letter)}`.replaceAll('%25%', '%2525%')),
  ),
  'dot segments encoded twice': before('x', '%252e%252E'),
  'a dot segment encoded twice': before('%252e'),
  'a dot segment that is none with parameters': before('x', '%252e.;y'),
  'an encoded NUL behind it': (segments) => [...segments.slice(0, -1), `${segments.at(-1)}%2500.png`],
  'a query behind it, encoded twice': (segments) => [...segments.slice(0, -1), `${segments.at(-1)}%253Fx=1`],
};
const PARAMETERS: Record<string, Trick> = {
  parameters: at((segment) => `${segment};v=1`),
  'encoded parameters': at((segment) => `${segment}%3Bv=1`),
  'a segment of parameters alone': before(';x=y'),
};
const LETTERS: Record<string, Trick> = {
  capitals: at((segment) => segment.replace(/^[a-z]+/, (letters) => letters.toUpperCase())),
  'a fullwidth letter': at(first((letter) => encodeURIComponent(String.fromCharCode(letter.charCodeAt(0) + 0xfee0)))),
  'a composed letter apart': at((segment) => segment.replaceAll('%C3%A9', 'e%CC%81')),
  'a dot behind a segment': at((segment) => segment.replace(/^[a-z]+$/i, '$&.')),
  'a space behind a segment': at((segment) => `${segment}%20`),
};
/** A slash between two segments becomes part of one. */
const joinedBy = (slash: string): Trick => {
  return (segments: readonly string[], place: number) => {
    const index = place % segments.length;
    return [...segments.slice(0, index), segments.slice(index, index + 2).join(slash), ...segments.slice(index + 2)];
  };
};
const HIDDEN_SLASHES: Record<string, Trick> = {
  'a slash encoded twice': joinedBy('%252F'),
  'a backslash encoded twice': joinedBy('%255c'),
  'a fullwidth slash': joinedBy('%EF%BC%8F'),
};
const ENCODED_SLASHES: Record<string, Trick> = {
  'an encoded slash': joinedBy('%2F'),
  'an encoded slash in lower case': joinedBy('%2f'),
  'an encoded backslash': joinedBy('%5C'),
};

const ALL = { ...SLASHES, ...ENCODINGS, ...PARAMETERS, ...LETTERS, ...HIDDEN_SLASHES };

const plain = fc.array(fc.constantFrom('a', 'b', 'admin', 'caf%C3%A9', 'x1'), { minLength: 1, maxLength: 4 });
const spelled = (tricks: Record<string, Trick>) => {
  const names = fc.array(fc.tuple(fc.constantFrom(...Object.keys(tricks)), fc.nat(7)), { minLength: 1, maxLength: 4 });
  return fc.tuple(plain, names).map(([segments, played]) => {
    const other = played.reduce<string[]>((former, [name, place]) => (tricks[name] as Trick)(former, place), segments);
    return { plain: `/${segments.join('/')}`, other: `/${other.join('/')}`, played: played.map(([name]) => name) };
  });
};

const token = fc.constantFrom('a', 'a', 'b', 'admin', 'caf%C3%A9', '*', '{x}', '**');
const pattern = fc.array(token, { minLength: 1, maxLength: 4 }).map((tokens) => `/${tokens.join('/')}`);
const patterns = fc.uniqueArray(pattern, { minLength: 1, maxLength: 2 });
/** Rules that do nothing but close may be written in any way. */
const oddPattern = fc
  .array(fc.constantFrom('a', 'A', 'b', 'admin', 'Admin', '*', '**', '', 'a%2Fb', 'b;v=1'), {
    minLength: 1,
    maxLength: 4,
  })
  .map((tokens) => `/${tokens.join('/')}`);

const actionNames = ['one', 'two', 'three'] as const;
const actions = fc.array(
  fc.record({
    methods: fc.constant(['GET']),
    paths: patterns,
    risk: fc.constantFrom(undefined, 'low', 'medium', 'high'),
    approval: fc.constantFrom('none', 'required'),
  }),
  { maxLength: 3 },
);
/** For `{id}` takes `a%2Fb` for one, on purpose. */
const namingActions = actions.map((list) =>
  list.filter(({ paths }) => paths.every((path) => !path.includes('{x}') && !/\/\*(?:\/|$)/.test(path))),
);
const named = fc.option(fc.subarray<string>([...actionNames], { minLength: 1 }), { nil: undefined });

const opening = fc.record({ paths: fc.option(patterns, { nil: undefined }), actions: named });
const closing = fc
  .record({
    effect: fc.constantFrom('deny', 'require_approval', 'rate_limit', 'hard'),
    paths: fc.option(patterns, { nil: undefined }),
    odd: fc.option(oddPattern, { nil: undefined }),
    actions: named,
    per: fc.constantFrom(['agent'], ['agent', 'action']),
  })
  .map(({ odd, ...rule }) => {
    // An approval opens, too, where it is written: whoever writes `//a` means that.
    return odd === undefined || rule.effect === 'require_approval' ? rule : { ...rule, paths: [odd] };
  });

interface Opening {
  readonly paths?: readonly string[] | undefined;
  readonly actions?: readonly string[] | undefined;
  readonly when?: string;
}
interface Closing extends Opening {
  readonly effect: string;
  readonly per: readonly string[];
}
interface WrittenAction {
  readonly methods: readonly string[];
  readonly paths: readonly string[];
}

function policyOf(allows: readonly Opening[], closings: readonly Closing[]) {
  const rules = [
    ...allows.map((rule, index) => ({ id: `open-${index}`, effect: 'allow', ...rule })),
    ...closings.map(({ effect, per, ...rule }, index) => ({
      id: `close-${index}`,
      effect: effect === 'hard' ? 'deny' : effect,
      ...(effect === 'hard' ? { hard: true } : {}),
      ...(effect === 'rate_limit' ? { limit: { requests: 1, perSeconds: 1, per } } : {}),
      ...rule,
    })),
  ];
  return compilePolicy({ rules, risk: { review: 0.5, deny: 0.9 } });
}

const STRENGTH: Record<string, number> = { allow: 0, require_approval: 1, deny: 2 };

/** The outcomes of both spellings, the other one's first; the limits that the plain one spends and the other does not. */
function compare(
  policy: ReturnType<typeof policyOf>,
  written: readonly (WrittenAction & { readonly name: string })[],
  paths: { plain: string; other: string },
) {
  const matcher = compileActions(written);
  const judge = (path: string) => {
    const target = { scheme: 'https', host: 'h.example', port: 443, path };
    const facts: Facts = {
      ...factsOf({ request: { url: `https://h.example${path}`, target } }),
      ...matcher.match('GET', path),
    };
    const decision = decide(policy, facts);
    // A call that is replayed is judged by the same readings.
    const { outcome, rule } = decision;
    expect(judgeRecorded(policy, facts)).toMatchObject({ verdict: { outcome, rule }, possible: [outcome] });
    return decision;
  };
  const [other, plainly] = [judge(paths.other), judge(paths.plain)];
  const spent = new Set(other.limits.map(({ key }) => key));
  return {
    strength: [STRENGTH[other.outcome] as number, STRENGTH[plainly.outcome] as number] as const,
    // What could not be judged is refused as hard as can be.
    isHardKept: other.hard || !plainly.hard || other.errors.some(({ rule }) => rule === null),
    unspent: plainly.limits.filter(({ key }) => other.outcome !== 'deny' && !spent.has(key)).map(({ rule }) => rule),
  };
}

function expectNoLooser(compared: ReturnType<typeof compare>): void {
  expect(compared.strength[0]).toBeGreaterThanOrEqual(compared.strength[1]);
  expect(compared.isHardKept).toBe(true);
  expect(compared.unspent).toEqual([]);
}

const withNames = (list: readonly WrittenAction[]) =>
  list.map((action, index) => ({ name: actionNames[index] as string, ...action }));

describe('another spelling of a path', () => {
  it('never loosens a verdict, whatever rules and actions there are', () => {
    fc.assert(
      fc.property(
        spelled(ALL),
        fc.array(opening, { minLength: 1, maxLength: 3 }),
        fc.array(closing, { maxLength: 4 }),
        actions,
        (paths, allows, closings, written) => {
          expectNoLooser(compare(policyOf(allows, closings), withNames(written), paths));
        },
      ),
      { numRuns: 4000 },
    );
  }, 30_000);

  it('never loosens what closes, with encoded slashes too', () => {
    fc.assert(
      fc.property(
        spelled({ ...ALL, ...ENCODED_SLASHES }),
        fc.array(closing, { maxLength: 4 }),
        namingActions,
        (paths, closings, written) => {
          // Which action `a%2Fb` is goes by what is written, and with it the window.
          const rules = closings.map((rule) => ({ ...rule, per: ['agent'] }));
          expectNoLooser(compare(policyOf([{}], rules), withNames(written), paths));
        },
      ),
      { numRuns: 3000 },
    );
  }, 30_000);

  const CONDITIONS = [
    'request.path.startsWith("/admin")',
    'request.segments[0] == "admin"',
    'request.segments.size() == 2 && request.segments[1] == "b"',
    '"admin" in request.segments',
    'request.path == "/a/b" || request.path == "/a"',
    'has(action.name) && action.name == "one"',
    'action.name in ["one", "two"]',
    'action.approval == "required"',
  ];

  it('never loosens a condition that closes, but for its letters and a slash at its end', () => {
    const tricks = {
      ...SLASHES,
      ...ENCODINGS,
      ...PARAMETERS,
      ...HIDDEN_SLASHES,
      'an empty segment at the end': before(''),
    };
    const effect = fc.constantFrom('deny', 'require_approval', 'rate_limit', 'hard');
    const conditional = fc.record({ effect, when: fc.constantFrom(...CONDITIONS), per: fc.constant(['agent']) });
    fc.assert(
      fc.property(
        spelled(tricks),
        fc.array(conditional, { minLength: 1, maxLength: 3 }),
        actions,
        (paths, rules, written) => {
          expectNoLooser(compare(policyOf([{}], rules), withNames(written), paths));
        },
      ),
      { numRuns: 3000 },
    );
  }, 30_000);

  it('never loosens a condition that opens, where an encoding hides it', () => {
    const conditional = fc.record({ when: fc.constantFrom(...CONDITIONS) });
    fc.assert(
      fc.property(
        spelled({ ...ENCODINGS, ...HIDDEN_SLASHES }),
        fc.array(conditional, { minLength: 1, maxLength: 3 }),
        actions,
        (paths, rules, written) => {
          expectNoLooser(compare(policyOf(rules, []), withNames(written), paths));
        },
      ),
      { numRuns: 3000 },
    );
  }, 30_000);
});
