import { describe, expect, test } from 'vitest';
import { startExchange } from './exchange.ts';
import { get, RecordingSink, setUp } from './raw-upstream.test-support.ts';
import { hidesDotSegment, isRedirect, judgeRedirect } from './redirect.ts';

const scope = {
  requestUrl: 'https://api.test:443/v1/items/7',
  base: new URL('https://api.test/v1'),
  prefix: 'http://gw/to/api',
};

describe('a Location under the base URL is rewritten into the gateway', () => {
  test.each([
    ['https://api.test/v1/other', 'http://gw/to/api/other'],
    ['https://api.test:443/v1/other?a=b#c', 'http://gw/to/api/other?a=b#c'],
    ['HTTPS://API.TEST/v1/other', 'http://gw/to/api/other'],
    ['//api.test/v1/x', 'http://gw/to/api/x'],
    ['/v1/x', 'http://gw/to/api/x'],
    ['/v1', 'http://gw/to/api'],
    ['/v1?x=1', 'http://gw/to/api?x=1'],
    ['8', 'http://gw/to/api/items/8'],
    ['?page=2', 'http://gw/to/api/items/7?page=2'],
    ['../other', 'http://gw/to/api/other'],
    ['/v1/a/%2e%2e/b', 'http://gw/to/api/b'],
    ['/v1/a%2Fb', 'http://gw/to/api/a%2Fb'],
    ['/v1//double', 'http://gw/to/api//double'],
    ['/v1/caf\u00c3\u00a9', 'http://gw/to/api/caf%C3%A9'],
    ['?to=https://evil.test/', 'http://gw/to/api/items/7?to=https://evil.test/'],
  ])('%s', (location, expected) => {
    expect(judgeRedirect(location, scope)).toBe(expected);
  });
});

describe('any other Location is refused', () => {
  test.each([
    'https://evil.test/v1/x',
    '//evil.test/v1/x',
    '\\\\evil.test/v1/x',
    '/\\evil.test/v1',
    '/v1\\..\\admin',
    'https://api.test.evil.test/v1/x',
    'https://api.test:8443/v1/x',
    'http://api.test/v1/x',
    'https://user@api.test/v1/x',
    'https://user:secret@api.test/v1/x',
    'https://api.test@evil.test/v1/x',
    'https://api.test/v1evil',
    '/v1evil',
    '/V1/x',
    '/',
    '/v2',
    '/v1/..',
    '../../admin',
    '/v1/../admin',
    '/v1/%2e%2e/admin',
    '/v1/.%2E/admin',
    '/v1/..%2fadmin',
    '/v1/%2e%2e%2fadmin',
    '/v1/..%5cadmin',
    '/v1/a%2f..%2f..%2fadmin',
    'javascript:alert(1)',
    'data:text/html,x',
    'ftp://api.test/v1/x',
    'https://',
    'https://[::1',
    '',
    ' /v1/x',
    '/v1/\tx',
    '/v1/x\u0000',
    '/v1/x y',
  ])('%j', (location) => {
    expect(judgeRedirect(location, scope)).toBeUndefined();
  });
});

test('without a prefix the Location stays an absolute URL, in its one spelling', () => {
  expect(judgeRedirect('../x', { ...scope, prefix: undefined })).toBe('https://api.test/v1/x');
});

test('with an empty prefix a path of two slashes does not become another host', () => {
  const whole = { requestUrl: 'https://api.test/a', base: new URL('https://api.test'), prefix: '' };
  expect(judgeRedirect('https://api.test//evil.test/x', whole)).toBe('/.//evil.test/x');
  expect(judgeRedirect('/b', whole)).toBe('/b');
});

test.each([300, 304, 305, 306, 200, 201, 400])('%i is no redirect', (status) => {
  expect(isRedirect(status)).toBe(false);
});

test.each([
  ['/a/%2e', true],
  ['/a/..%5Cb', true],
  ['/a/%2F../b', true],
  ['/a/..b', false],
  ['/a/...', false],
  ['/a%2Fb', false],
])('the path %s hides a dot segment: %s', (path, expected) => {
  expect(hidesDotSegment(path)).toBe(expected);
});

describe('through an exchange', () => {
  async function follow(head: string) {
    const { upstream, lane } = await setUp(
      (socket) => socket.write(`HTTP/1.1 ${head}content-length: 0\r\n\r\n`, 'latin1'),
      {
        basePath: '/v1',
      },
    );
    const sink = new RecordingSink();
    const call = { target: upstream.target, request: get('/v1/a/b?key=secret'), redirectPrefix: 'http://gw/to/demo' };
    startExchange(lane, call, sink);
    await sink.over.promise;
    return sink;
  }

  test.each([301, 302, 303, 307, 308])('%i under the base URL passes, rewritten', async (status) => {
    const sink = await follow(`${status} Moved\r\nLocation: ../c\r\n`);
    expect(sink.status).toBe(status);
    expect(sink.headers).toEqual(['location', 'http://gw/to/demo/c', 'content-length', '0']);
  });

  test.each([301, 302, 303, 307, 308])('%i to elsewhere is refused before its head', async (status) => {
    const sink = await follow(`${status} Moved\r\nLocation: /v1evil\r\n`);
    expect(sink.failure).toMatchObject({ code: 'redirect_refused', status: 502, headPassed: false, sentBytes: 'some' });
    expect(sink.status).toBeUndefined();
  });

  test.each(['#x', '.', '?'])(
    'the query of the request, where a credential may be, is not in what %s becomes',
    async (location) => {
      const sink = await follow(`302 Found\r\nLocation: ${location}\r\n`);
      expect(sink.status).toBe(302);
      expect(sink.headers.join()).not.toContain('secret');
    },
  );

  test('two Locations are refused even when both lie under the base URL', async () => {
    const sink = await follow('302 Found\r\nLocation: /v1/a\r\nLocation: /v1/b\r\n');
    expect(sink.failure).toMatchObject({ code: 'redirect_refused' });
  });

  test.each(['300 Multiple Choices', '304 Not Modified', '201 Created'])('%s passes as it is', async (status) => {
    const sink = await follow(`${status}\r\nLocation: https://elsewhere.test/\r\n`);
    expect(sink.headers).toContain('https://elsewhere.test/');
  });

  test('a redirect without Location passes', async () => {
    expect((await follow('302 Found\r\n')).status).toBe(302);
  });
});
