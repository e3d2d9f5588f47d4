import { describe, expect, test } from 'vitest';
import { inspectBody } from './inspect-body.ts';
import { NO_BODY } from './request-body.ts';

const UNREAD = Symbol('not inspected');

/** What a condition sees. */
function seen(content: string | Uint8Array, ...headers: string[]): unknown {
  const facts = inspectBody({ kind: 'bytes', bytes: Buffer.from(content as string) }, headers);
  if (!facts.bodyInspected) return UNREAD;
  try {
    return facts.body?.();
  } catch {
    return UNREAD;
  }
}

const FORM = 'application/x-www-form-urlencoded';

describe('a body is looked into', () => {
  test.each([
    'application/json',
    'Application/JSON',
    'application/json; charset=utf-8',
    'application/json;charset="UTF-8"',
    'application/json ; profile="a;b" ; charset=Utf-8',
    'application/vnd.api+json',
    'application/problem+json; charset=utf-8',
  ])('as JSON: %s', (type) => expect(seen('{"a":[1]}', 'Content-Type', type)).toEqual({ a: [1] }));

  test.each([FORM, `${FORM}; charset=UTF-8`])('as a form: %s', (type) =>
    expect({ ...(seen('a=1&b=2&a=%20', 'content-type', type) as object) }).toEqual({ a: ['1', ' '], b: '2' }),
  );

  test('up to 1 MiB and not a byte further', () => {
    const json = (length: number) => seen(`"${'a'.repeat(length - 2)}"`, 'content-type', 'application/json');
    expect(json(1_048_576)).toHaveLength(1_048_574);
    expect(json(1_048_577)).toBe(UNREAD);
  });

  test('and where there is none it is known to be none', () => {
    expect(inspectBody(NO_BODY, ['content-type', 'application/json', 'content-encoding', 'gzip'])).toEqual({
      bodyInspected: true,
    });
  });
});

describe('a body is not looked into', () => {
  test.each([
    ['text/plain'],
    ['text/json'],
    ['application/jsonp'],
    ['application/json-seq'],
    ['application/x+json+xml'],
    ['multipart/form-data; boundary=a'],
    [''],
    ['json'],
    ['application/json, text/plain'],
    ['application/json; charset=utf-16'],
    ['application/json; charset=iso-8859-1'],
    ['application/json; charset=utf-8; charset=utf-16'],
    ['application/json; charset = utf-8'],
    ['application/json; charset='],
    ['application/json;'],
    ['application/json\u00a0'],
    ['\u00a0application/json'],
    ['application/json\u000b; charset=utf-8'],
    [`application/json; a="`],
    ["application/json; charset='utf-8'"],
    [`${FORM}; charset=windows-1252`],
  ])('under the type %j', (type) => {
    expect(seen('{"a":1}', 'content-type', type)).toBe(UNREAD);
    expect(seen('{"a":1}', 'content-type', 'application/json')).toEqual({ a: 1 });
  });

  test.each([
    ['no type', []],
    ['two types', ['content-type', 'application/json', 'Content-Type', 'application/json']],
    ['a coding', ['content-type', 'application/json', 'Content-Encoding', 'gzip']],
    ['the coding of none', ['content-type', 'application/json', 'content-encoding', 'identity']],
    ['an empty coding', ['content-encoding', '', 'content-type', 'application/json']],
  ])('with %s', (_title, headers) => expect(seen('{"a":1}', ...headers)).toBe(UNREAD));

  test.each([
    ['a repeated member', '{"a":1,"a":2}'],
    ['a member repeated by escape', '{"a":1,"\\u0061":2}'],
    ['a byte order mark', '\ufeff{"a":1}'],
    ['UTF-16', Buffer.from('{"a":1}', 'utf16le')],
    ['bytes that are no UTF-8', Buffer.from([0x22, 0xc3, 0x22])],
    ['more after the end', '{"a":1}{}'],
    ['a comment', '{"a":1}//'],
    ['a lost digit', '{"a":9007199254740993}'],
    ['nothing but a space', ' '],
  ])('when JSON has %s', (_title, content) => expect(seen(content, 'content-type', 'application/json')).toBe(UNREAD));

  test.each(['a=1;b=2', 'a=%zz', 'a=%ff'])('when a form is %j', (content) =>
    expect(seen(content, 'content-type', FORM)).toBe(UNREAD),
  );

  test('when it passes as it comes, or lies on the disk', () => {
    for (const kind of ['stream', 'spooled'] as const) {
      expect(inspectBody({ kind } as never, ['content-type', 'application/json']).bodyInspected).toBe(false);
    }
  });
});
