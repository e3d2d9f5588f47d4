import { describe, expect, it } from 'vitest';
import { say, withBody } from './condition.test-support.ts';

const OVER = 'takes more than 100000 steps';
const numbers = (length: number) => Array.from({ length }, (_, position) => position);

/** The longest list that `text` can go through. */
function longest(text: string, bodyOf: (length: number) => unknown): number {
  let low = 0;
  let high = 1_000_000;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (typeof say(text, withBody(bodyOf(middle))) === 'boolean') low = middle;
    else high = middle - 1;
  }
  return low;
}

describe('a condition may take 100,000 steps', () => {
  it('which is some items for each operation of a macro, and an error for one item more', () => {
    const text = 'request.body.all(x, x >= 0)';
    const most = longest(text, numbers);
    expect(most).toBeGreaterThan(20_000);
    expect(most).toBeLessThan(50_000);
    expect(say(text, withBody(numbers(most)))).toBe(true);
    expect(say(text, withBody(numbers(most + 1)))).toMatchObject({ error: OVER });
  });

  it('and the more a macro does for each item, the fewer items', () => {
    const simple = longest('request.body.all(x, x >= 0)', numbers);
    const double = longest('request.body.all(x, x >= 0 && x < 1000000)', numbers);
    expect(double).toBeLessThan(simple);
  });

  it.each<[text: string, body: unknown]>([
    ['request.body.all(x, request.body.all(y, x + y >= 0))', numbers(1000)],
    ['request.body.exists(x, x == -1)', numbers(100_000)],
    ['request.body.exists(x, x.missing == 1)', numbers(50_000).map(() => ({}))],
    ['request.body.map(x, x).size() > 0', numbers(100_000)],
    ['request.body.filter(x, x > 0).size() > 0', numbers(100_000)],
    ['request.body.exists_one(x, x == 1)', numbers(100_000)],
    ['request.body.all(x, x in request.body)', numbers(10_000)],
    ['request.body.all(x, request.body == request.body)', numbers(1000)],
    [
      'request.body.l.all(x, request.body.s == request.body.t)',
      { l: numbers(5000), s: 'x'.repeat(9999), t: 'x'.repeat(9999) },
    ],
    ['request.body.l.all(x, request.body.s.contains("q") || true)', { l: numbers(5000), s: 'x'.repeat(9999) }],
    ['request.body.l.all(x, size(request.body.s) > 1)', { l: numbers(5000), s: 'x'.repeat(9999) }],
    ['request.body.l.all(x, (request.body.s + request.body.s) != "q")', { l: numbers(5000), s: 'x'.repeat(9999) }],
    ['request.body.l.all(x, !request.body.s.matches("^a"))', { l: numbers(5000), s: 'x'.repeat(9999) }],
    ['request.body.l.all(x, request.body.s <= request.body.s)', { l: numbers(5000), s: 'x'.repeat(9999) }],
    ['request.body.s.contains(request.body.p)', { s: 'a'.repeat(500_000), p: `${'a'.repeat(250_000)}b` }],
    ['request.body.all(k, k != "q")', Object.fromEntries(numbers(60_000).map((key) => [`k${key}`, 1]))],
    ['size(request.body) > 1', Object.fromEntries(numbers(100_001).map((key) => [`k${key}`, 1]))],
    ['request.body.l.all(x, time.now.getHours("Europe/Berlin") >= 0)', { l: numbers(5000) }],
  ])('and not what a large body can be made to cost: %s', (text, body) => {
    expect(say(text, withBody(body))).toMatchObject({ error: OVER });
  });

  it('whatever else would decide: the limit is never absorbed', () => {
    const body = numbers(100_000);
    expect(say('request.body.all(x, x >= 0) || true', withBody(body))).toMatchObject({ error: OVER });
    expect(say('request.body.all(x, x >= 0) && false', withBody(body))).toMatchObject({ error: OVER });
    expect(say('[1, 2].exists(n, n == 2 || request.body.all(x, x >= 0))', withBody(body))).toMatchObject({
      error: OVER,
    });
  });

  it('each condition for itself', () => {
    expect(say('request.body.all(x, x >= 0)', withBody(numbers(20_000)))).toBe(true);
    expect(say('request.body.exists(x, x == 3)', withBody(numbers(1_000_000)))).toBe(true);
  });

  it('and leaves ordinary looks at a large body alone', () => {
    const text = 'x'.repeat(1_000_000);
    expect(say('request.body.note.contains("drop table")', withBody({ note: text }))).toBe(false);
    expect(
      say('request.body.note.startsWith("xx") && size(request.body.note) == 1000000', withBody({ note: text })),
    ).toBe(true);
    expect(say('request.body.note.matches("(?i)^y")', withBody({ note: text.slice(0, 100_000) }))).toBe(false);
  });
});
