import { describe, expect, test } from 'vitest';
import { createRequestIds } from './request-id.ts';
import { readTraceparent, spanIdOf, traceIdOf, writeTraceparent } from './trace-context.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

describe('a traceparent', () => {
  test.each([
    ['as it is most often', `00-${TRACE}-${SPAN}-01`, 1],
    ['of a trace that nobody records', `00-${TRACE}-${SPAN}-00`, 0],
    ['with a random trace id', `00-${TRACE}-${SPAN}-03`, 3],
    ['with flags that have no meaning', `00-${TRACE}-${SPAN}-fd`, 1],
    ['of a later version', `01-${TRACE}-${SPAN}-01`, 1],
    ['of a later version with more behind it', `cc-${TRACE}-${SPAN}-01-what-comes`, 1],
    ['of the last version there can be', `fe-${TRACE}-${SPAN}-01`, 1],
  ])('%s is read', (_name, text, flags) => {
    expect(readTraceparent(['Host', 'x', 'TraceParent', text])).toEqual({ traceId: TRACE, spanId: SPAN, flags });
  });

  test.each([
    ['empty', ''],
    ['no trace', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['no span', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['of the version that cannot be', `ff-${TRACE}-${SPAN}-01`],
    ['in capitals', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ['of version 0 with more behind it', `00-${TRACE}-${SPAN}-01-more`],
    ['of version 0 with a line behind it', `00-${TRACE}-${SPAN}-01\n`],
    ['of a later version with letters behind it', `01-${TRACE}-${SPAN}-01more`],
    ['too short', `00-${TRACE}-${SPAN}-0`],
    ['without flags', `00-${TRACE}-${SPAN}`],
    ['with a short trace', `00-${TRACE.slice(1)}-${SPAN}-01`],
    ['with other digits', `00-${TRACE}-${SPAN.slice(1)}g-01`],
    ['of two, joined', `00-${TRACE}-${SPAN}-01, 00-${TRACE}-${SPAN}-01`],
  ])('%s counts as none', (_name, text) => {
    expect(readTraceparent(['traceparent', text])).toBeUndefined();
  });

  test('that comes twice counts as none, even when both are equal', () => {
    const text = `00-${TRACE}-${SPAN}-01`;
    expect(readTraceparent(['traceparent', text, 'Traceparent', text])).toBeUndefined();
  });

  test('that is written can be read', () => {
    const place = { traceId: TRACE, spanId: SPAN, flags: 1 };
    expect(readTraceparent(['traceparent', writeTraceparent(place)])).toEqual(place);
    expect(writeTraceparent({ ...place, flags: 0xfd })).toBe(`00-${TRACE}-${SPAN}-01`);
  });
});

test('the calls of one millisecond have spans and traces of their own', () => {
  const newId = createRequestIds(() => 1_700_000_000_000);
  const ids = Array.from({ length: 5_000 }, newId);
  expect(new Set(ids.map(spanIdOf)).size).toBe(5_000);
  expect(new Set(ids.map(traceIdOf)).size).toBe(5_000);
  for (const id of ids) {
    expect(spanIdOf(id)).toMatch(/^[0-9a-f]{16}$/);
    expect(traceIdOf(id)).toMatch(/^[0-9a-f]{32}$/);
  }
});
