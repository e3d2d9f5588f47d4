import type { WideEvent } from '@postern/gateway';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createCallLine } from './call-lines.ts';

/** What the lines are made of; the class that fills it belongs to the data plane. */
function eventOf(members: Partial<WideEvent> = {}): WideEvent {
  return { requestId: '01890a5d-ac96-774b-bcce-b302099a8057', receivedAt: 1_700_000_000_123, ...members } as WideEvent;
}

function collect(base: Readonly<Record<string, string>> = { node: 'node-1' }) {
  const lineOf = createCallLine(base);
  let written = '';
  const add = (event: WideEvent, latencyMs: number) => {
    written += lineOf(event, latencyMs);
  };
  return { lines: { add }, text: () => Buffer.from(written).toString('utf8') };
}

function parse(text: string): Record<string, unknown>[] {
  expect(text.endsWith('\n')).toBe(true);
  return text
    .slice(0, -1)
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe('the line of a call', () => {
  test('holds all that is known, under stable names', () => {
    const { lines, text } = collect({ node: 'node-1', environment: 'prod' });
    const event = eventOf({
      correlation: 'abc',
      tenant: 'default',
      agent: 'coder',
      integration: 'github',
      action: 'issues.read',
      method: 'GET',
      url: 'https://api.github.com/repos',
      decision: 'allow',
      rule: 'reads',
      status: 200,
      address: '140.82.112.5',
      clientAddress: '127.0.0.1',
    });
    lines.add(event, 12.3456);
    expect(parse(text())).toEqual([
      {
        level: 30,
        time: '2023-11-14T22:13:20.123Z',
        node: 'node-1',
        environment: 'prod',
        requestId: event.requestId,
        correlation: 'abc',
        tenant: 'default',
        agent: 'coder',
        integration: 'github',
        action: 'issues.read',
        method: 'GET',
        url: 'https://api.github.com/repos',
        decision: 'allow',
        rule: 'reads',
        status: 200,
        address: '140.82.112.5',
        client: '127.0.0.1',
        latencyMs: 12.35,
        msg: 'call',
      },
    ]);
  });

  test('tells the risk where it was looked at, and labels where there are some', () => {
    const { lines, text } = collect();
    const factors = [{ name: 'method:PUT', value: 0.5 }];
    lines.add(eventOf({ risk: { score: 0.5, labels: [], factors } }), 1);
    lines.add(eventOf({ risk: { score: 0.7, labels: ['shell', 'of a "scorer"'], factors } }), 1);
    lines.add(eventOf(), 1);
    const [plain, labelled, without] = parse(text());
    expect(plain).toMatchObject({ risk: 0.5 });
    expect(plain).not.toHaveProperty('riskLabels');
    expect(labelled).toMatchObject({ risk: 0.7, riskLabels: ['shell', 'of a "scorer"'] });
    expect(without).not.toHaveProperty('risk');
  });

  test('leaves out what is not known', () => {
    const { lines, text } = collect();
    lines.add(eventOf({ code: 'unauthenticated', status: 401 }), 0);
    expect(Object.keys(parse(text())[0] ?? {})).toEqual([
      'level',
      'time',
      'node',
      'requestId',
      'status',
      'code',
      'latencyMs',
      'msg',
    ]);
  });

  test('is one line of JSON whatever a client writes', () => {
    const hostile = [
      '"',
      '\\',
      '\n',
      '\r\n{"level":60}',
      '\0',
      '\u007f',
      '\u2028',
      'ü',
      '😀',
      '\ud800',
      '</script>',
      '\u001b[31m',
    ];
    const { lines, text } = collect();
    for (const correlation of hostile) lines.add(eventOf({ correlation }), 1);
    expect(parse(text()).map((line) => line['correlation'])).toEqual(hostile);
  });

  test('is one line of JSON for any text at all', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 128 }),
        fc.double({ min: 0, max: 1e9, noNaN: true }),
        (correlation, latencyMs) => {
          const { lines, text } = collect();
          lines.add(eventOf({ correlation }), latencyMs);
          const [line, ...more] = parse(text());
          expect(more).toEqual([]);
          expect(line).toMatchObject({ correlation, latencyMs: Math.round(latencyMs * 100) / 100 });
        },
      ),
    );
  });

  test('escapes what the operator has named', () => {
    const { lines, text } = collect({ node: 'a"b', environment: 'c\\d' });
    lines.add(eventOf(), 1);
    expect(parse(text())[0]).toMatchObject({ node: 'a"b', environment: 'c\\d' });
  });
});

describe('its time', () => {
  test.each([
    1_700_000_000_000, 1_700_000_000_001, 1_700_000_000_999, 1_700_000_001_000, 1_700_000_000_998, 0, 999,
    951_782_399_999, 951_782_400_000, 4_102_444_799_999,
  ])('of %i is as Date tells it', (at) => {
    const { lines, text } = collect();
    lines.add(eventOf({ receivedAt: at }), 1);
    expect(parse(text())[0]?.['time']).toBe(new Date(at).toISOString());
  });

  test('follows from second to second, also backwards', () => {
    const { lines, text } = collect();
    const times = [1_999, 2_000, 2_001, 61_000, 59_999, 2_000, 3_600_000].map((ms) => 1_700_000_000_000 + ms);
    for (const receivedAt of times) lines.add(eventOf({ receivedAt }), 1);
    expect(parse(text()).map((line) => line['time'])).toEqual(times.map((at) => new Date(at).toISOString()));
  });
});
