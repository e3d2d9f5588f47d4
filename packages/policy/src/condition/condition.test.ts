import { describe, expect, it } from 'vitest';
import type { FactChanges } from '../facts.test-support.ts';
import { type Said, say, withBody } from './condition.test-support.ts';

const BODY = { amount: 5000, note: 'two boxes', items: [{ n: 1 }, { n: 2 }], price: 9.5, nothing: null };

const FULL: FactChanges = {
  agent: { name: 'coder', roles: ['developer', 'ops'], trust: 3, environment: 'prod' },
  request: {
    method: 'POST',
    url: 'https://api.example.com:8443/v1/charges/a%2fb?state=open&state=shut&q=a+b&%71=c&plain',
    headers: [
      ['Content-Type', 'application/json'],
      ['X-Tag', 'one'],
      ['x-tag', 'two'],
    ],
    body: BODY,
    bodyInspected: true,
  },
  integration: { name: 'payments' },
  action: { name: 'charges.create', risk: 'high', approval: 'none' },
  tool: { name: 'create_charge', server: 'payments', arguments: { amount: 5 } },
  counts: { minute: 1, hour: 20, day: 300 },
  risk: { score: 0.7, labels: ['llm'] },
  now: Date.UTC(2026, 6, 1, 22, 30),
};

describe('a condition sees', () => {
  it.each([
    ['agent.name == "coder" && agent.trust == 3 && agent.environment == "prod"'],
    ['agent.roles == ["developer", "ops"] && "ops" in agent.roles'],
    ['agent.trust >= 2 && agent.trust < 4'],
    [
      'request.method == "POST" && request.scheme == "https" && request.host == "api.example.com" && request.port == 8443',
    ],
    ['request.path == "/v1/charges/a%2Fb"'],
    ['request.segments == ["v1", "charges", "a%2Fb"] && request.segments.size() == 3'],
    ['request.query == {"state": ["open", "shut"], "q": ["a b", "c"], "plain": [""]}'],
    ['request.query.state.exists(s, s == "shut") && !has(request.query.other)'],
    ['request.query["q"][1] == "c" && !("Q" in request.query)'],
    ['request.headers["content-type"] == "application/json" && request.headers["x-tag"] == "one, two"'],
    ['request.bodyInspected && request.body.amount == 5000 && request.body.price == 9.5'],
    ['int(request.body.amount) <= 5000 && agent.trust >= 2'],
    ['request["body"]["amount"] == 5000'],
    ['request.body.items.exists(i, i.n == 2) && request.body.items.map(i, i.n) == [1, 2]'],
    ['integration.name == "payments" && action.name == "charges.create" && action.risk == "high"'],
    ['tool.name == "create_charge" && tool.server == "payments" && tool.arguments.amount == 5'],
    ['count.minute == 1 && count.hour == 20 && count.day > 299'],
    ['risk.score == 0.7 && risk.labels == ["llm"]'],
    ['time.now == timestamp("2026-07-01T22:30:00Z") && time.now.getHours("Europe/Berlin") == 0'],
    ['time.now.getDayOfWeek() == 3 && time.now.getDayOfWeek("Asia/Tokyo") == 4'],
    ['request.body.note.matches("^two b.x(es)?$") && matches(request.body.note, "boxes")'],
  ])('%s', (text) => {
    expect(say(text, withBody(BODY, FULL))).toBe(true);
  });

  it('its own variable before a fact of the same name', () => {
    expect(say('request.body.items.exists(request, request.n == 2)', withBody(BODY))).toBe(true);
    expect(say('request.body.items.all(i, request.body.items.exists(j, j.n == i.n))', withBody(BODY))).toBe(true);
  });

  it('a whole number of the body as an int, any other as a double, and null as null', () => {
    const body = { int: 3, round: 3.0, double: 3.5, minus: -0, text: '3', nothing: null };
    expect(say('type(request.body.int) == int && type(request.body.round) == int', withBody(body))).toBe(true);
    expect(say('type(request.body.double) == double && request.body.int / 2 == 1', withBody(body))).toBe(true);
    expect(say('request.body.minus == 0 && request.body.nothing == null', withBody(body))).toBe(true);
    expect(say('request.body.text == 3', withBody(body))).toBe(false);
    expect(say('request.body.int / 2.0 == 1.5', withBody(body))).toEqual({ error: 'has no int / double', at: 0 });
  });

  it('null where there is no body', () => {
    expect(say('request.body == null', withBody(undefined))).toBe(true);
    expect(say('request.body == null', withBody(null))).toBe(true);
    expect(say('has(request.body.amount)', withBody(null))).toBe(false);
  });

  it('members that have the names of what every JavaScript object has', () => {
    expect(say('request.body.constructor == 1', withBody({ constructor: 1 }))).toBe(true);
    expect(say('request.body.__proto__ == 1', withBody(JSON.parse('{"__proto__": 1}')))).toBe(true);
    for (const name of ['constructor', '__proto__', 'toString', 'length']) {
      expect(say(`has(request.body.${name})`, withBody({}))).toBe(false);
      expect(say(`request.body.${name} == 1`, withBody({}))).toEqual({ error: `finds no ${name}`, at: 13 });
      expect(say(`"${name}" in request.query`, withBody({}))).toBe(false);
      expect(say(`"${name.toLowerCase()}" in request.headers`, withBody({}))).toBe(false);
    }
  });

  it('one path for all its spellings, and `*` as it is', () => {
    const at = (path: string) => withBody(null, { request: { url: `https://a.example${path}` } });
    for (const path of ['/v1/x:batch', '/v1/x%3Abatch', '/v1/x%3abatch']) {
      expect(say('request.path == "/v1/x:batch"', at(path))).toBe(true);
    }
    for (const path of ['/a/*', '/a/%2A']) expect(say('request.segments[1] == "*"', at(path))).toBe(true);
  });
});

describe('a condition is an error when it', () => {
  const errors: [text: string, message: string, at: number, changes?: FactChanges][] = [
    ['request.body.missing == 1', 'finds no missing', 13],
    ['request.body["missing"] == 1', 'finds no missing', 13],
    ['request.body.amount.x == 1', 'takes x of int', 20],
    ['request.body.nothing.x == 1', 'takes x of null_type', 21],
    ['request.body.items[2].n == 1', 'reaches beyond a list', 19],
    ['request.query.other[0] == "x"', 'finds no other', 14],
    ['request.headers["x-none"] == "x"', 'finds no x-none', 16],
    ['int(request.body.note) == 1', 'int() of a text that is no whole number', 0],
    ['int(request.body.empty) <= 5000', 'finds no empty', 17],
    ['request.body.amount > "5"', 'has no int < string', 0],
    ['request.body.note', 'is not true or false', 0],
    ['request.body == null', 'reads the body, which could not be inspected', 8, { request: { bodyInspected: false } }],
    ['has(request.body.x)', 'reads the body, which could not be inspected', 12, { request: { bodyInspected: false } }],
    ['agent.environment == "dev"', 'the call has no agent.environment', 6, { agent: { environment: undefined } }],
    ['action.name == "x"', 'the call has no action.name', 7],
    ['tool.name == "x"', 'the call has no tool.name', 5],
    ['count.day > 3', 'the call has no count.day', 6],
  ];
  it.each(errors)('%s: %s', (text, error, at, changes) => {
    expect(say(text, withBody(BODY, changes))).toEqual({ error, at });
  });

  it.each([1e20, -1e20, 2 ** 53, 1e300])('reads the number %d, which a reader may have rounded', (amount) => {
    const error = { error: 'reads a number too large to be exact', at: 13 };
    expect(say('request.body.amount > 1', withBody({ amount }))).toEqual(error);
    expect(say('has(request.body.amount)', withBody({ amount }))).toBe(true);
  });

  it('reads the largest number that is exact without fault', () => {
    expect(say('request.body.amount == 9007199254740991', withBody({ amount: 2 ** 53 - 1 }))).toBe(true);
  });

  it('asks whether a part is there that is not: has() tells', () => {
    for (const fact of ['agent.environment', 'action.name', 'tool.name', 'count.day']) {
      expect(say(`has(${fact})`, withBody(BODY, { agent: { environment: undefined } }))).toBe(false);
      expect(say(`has(${fact})`, withBody(BODY, FULL))).toBe(true);
    }
  });

  it('has a body that its reader refuses, which is read once', () => {
    let reads = 0;
    const body = () => {
      reads += 1;
      throw new TypeError('not JSON');
    };
    const said = say('request.body.a == 1 || request.body.b == 1 || request.bodyInspected', withBody(body));
    expect(said).toEqual({ error: 'reads the body, which could not be inspected', at: 8 });
    expect(reads).toBe(1);
  });
});

describe('a condition is refused, with its position, when it', () => {
  const refusals: [what: string, text: string, at: number, message: RegExp][] = [
    ['is no expression', '1 +', 3, /^is no valid expression/],
    ['has an open text', 'request.method == "GET', 18, /Unterminated string/],
    ['names what is not there', 'agent.trust > 1 && user.name == "x"', 19, /Unknown variable: user/],
    ['names what no phase has', 'response.status == 200', 0, /Unknown variable: response/],
    ['names a field that is not there', 'agent.age > 1', 6, /No such key: age/],
    ['asks has() of a field that is not there', 'has(agent.age)', 10, /agent has name, roles, trust, environment/],
    ['is no bool', 'agent.trust', 0, /must be true or false, and is int/],
    ['is a text', '"yes"', 0, /must be true or false, and is string/],
    ['compares kinds that never compare', 'agent.name == 1', 0, /no such overload: string == int/],
    ['adds what does not add', 'agent.name + 1 == "x"', 0, /no such overload: string \+ int/],
    ['takes a fact as a whole', 'agent == agent', 0, /no such overload/],
    ['takes a root as a value', 'dyn(request) == null', 4, /name one of its fields/],
    ['picks a field at run time', 'request[agent.name] == 1', 8, /must name the field itself/],
    ['has an invalid pattern', 'agent.name.matches("(a")', 19, /invalid pattern: missing closing/],
    ['has a pattern with a back reference', String.raw`agent.name.matches("(a)\\1")`, 19, /invalid pattern/],
    ['has a pattern with look-ahead', 'agent.name.matches("(?=a)")', 19, /invalid pattern/],
    ['has a pattern that repeats too often', 'agent.name.matches("(a{1000}){1000}")', 19, /invalid pattern/],
    ['has a pattern that grows too large', 'agent.name.matches("(ab?c?d?e?){999}")', 19, /too large/],
    ['takes its pattern from the call', 'agent.name.matches(request.body.p)', 19, /pattern as a literal/],
    ['has a time zone that is none', 'time.now.getHours("Mars/Olympus") > 1', 18, /literal time zone/],
    ['takes its time zone from the call', 'time.now.getHours(agent.name) > 1', 18, /literal time zone/],
    ['calls what is not of the standard', '"A".lowerAscii() == "a"', 0, /calls lowerAscii\(\)/],
    ['calls what does not exist', 'launch(1)', 0, /no matching overload/],
    ['looks for a header that is never there', 'request.headers["X-Tag"] == "1"', 16, /names are lower-case here/],
    ['looks for such a header among all', '!("X-Tag" in request.headers)', 2, /names are lower-case here/],
    ['has bytes', 'b"a" == b"a"', 0, /bytes or an unsigned number/],
    ['has unsigned numbers', '1u < 2u', 0, /bytes or an unsigned number/],
    ['binds variables', 'cel.bind(x, 1, x == 1)', 0, /conditions do not have/],
    ['has a number beyond int', 'agent.trust < 9223372036854775808', 14, /integer|int/i],
    ['goes through what has no items', 'agent.name.all(x, true)', 6, /cannot be range of a comprehension/],
  ];
  it.each(refusals)('%s: %s', (_what, text, at, message) => {
    const said = say(text, withBody(BODY));
    expect(said).toEqual({ refused: expect.stringMatching(message), at });
  });

  it('is longer than 16,384 characters', () => {
    const text = (length: number) => `true${' '.repeat(length - 4)}`;
    expect(say(text(16_384), withBody(null))).toBe(true);
    expect(say(text(16_385), withBody(null))).toMatchObject({ at: 16_384 });
  });

  it('names what its phase lacks', () => {
    const lacks = new Map([
      ['count', 'limits count by themselves'],
      ['request.body', 'nobody sees it'],
    ]);
    const said = (text: string): Said => say(text, withBody(BODY), lacks);
    expect(said('agent.trust > 1 && count.day > 3')).toEqual({
      refused: 'names count.day, but limits count by themselves',
      at: 25,
    });
    expect(said('has(request.body.x)')).toEqual({ refused: 'names request.body, but nobody sees it', at: 12 });
    expect(said('request["body"] == null')).toMatchObject({ at: 8 });
    expect(said('request.method == "POST"')).toBe(true);
    expect(said('request.headers.exists(count, count == "x") || true')).toBe(true);
  });
});
