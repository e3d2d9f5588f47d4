import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { type AwsRequest, type SignAwsOptions, signAwsRequest } from './sign-aws-request.ts';

/** "AWS Signature Version 4 test suite": its keys, its moment, its host. */
const SUITE_KEYS = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  region: 'us-east-1',
  service: 'service',
};
const SUITE_TIME = Date.UTC(2015, 7, 30, 12, 36);
const HOST = 'https://example.amazonaws.com';

type Vector = readonly [name: string, request: AwsRequest, signedHeaders: string, signature: string];

const get = (path: string, headers: AwsRequest['headers'] = {}): AwsRequest => ({
  method: 'GET',
  url: HOST + path,
  headers,
});
const post = (path: string, headers: AwsRequest['headers'] = {}, body = ''): AwsRequest => {
  return { method: 'POST', url: HOST + path, headers, body };
};
const UNRESERVED = '-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const VANILLA = '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31';
const POST_VANILLA = '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b';
const PLAIN = 'host;x-amz-date';
const WITH_HEADER = 'host;my-header1;x-amz-date';
const FORM = 'application/x-www-form-urlencoded';

const SUITE: readonly Vector[] = [
  ['get-vanilla', get('/'), PLAIN, VANILLA],
  ['get-vanilla-query', get('/?'), PLAIN, VANILLA],
  ['get-relative', get('/example/..'), PLAIN, VANILLA],
  ['get-relative-relative', get('/example1/example2/../..'), PLAIN, VANILLA],
  ['get-slash', get('//'), PLAIN, VANILLA],
  ['get-slash-dot-slash', get('/./'), PLAIN, VANILLA],
  [
    'get-header-key-duplicate',
    get('/', { 'My-Header1': ['value2', 'value2', 'value1'] }),
    WITH_HEADER,
    'c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea',
  ],
  [
    'get-header-value-multiline',
    get('/', { 'My-Header1': 'value1,value2,value3' }),
    WITH_HEADER,
    'ba17b383a53190154eb5fa66a1b836cc297cc0a3d70a5d00705980573d8ff790',
  ],
  [
    'get-header-value-order',
    get('/', { 'My-Header1': ['value4', 'value1', 'value3', 'value2'] }),
    WITH_HEADER,
    '08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01',
  ],
  [
    'get-header-value-trim',
    get('/', { 'My-Header1': ' value1', 'My-Header2': ' "a   b   c"' }),
    'host;my-header1;my-header2;x-amz-date',
    'acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736',
  ],
  ['get-unreserved', get(`/${UNRESERVED}`), PLAIN, '07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f'],
  ['get-utf8', get('/ሴ'), PLAIN, '8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85'],
  [
    'get-vanilla-empty-query-key',
    get('/?Param1=value1'),
    PLAIN,
    'a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb',
  ],
  [
    'get-vanilla-query-order-key-case',
    get('/?Param2=value2&Param1=value1'),
    PLAIN,
    'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
  ],
  [
    'get-vanilla-query-unreserved',
    get(`/?${UNRESERVED}=${UNRESERVED}`),
    PLAIN,
    '9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197',
  ],
  ['get-vanilla-utf8-query', get('/?ሴ=bar'), PLAIN, '2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04'],
  ['post-vanilla', post('/'), PLAIN, POST_VANILLA],
  ['post-header-key-case', post('/', { HOST: 'example.amazonaws.com' }), PLAIN, POST_VANILLA],
  [
    'post-header-key-sort',
    post('/', { 'My-Header1': 'value1' }),
    WITH_HEADER,
    'c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c',
  ],
  [
    'post-header-value-case',
    post('/', { 'My-Header1': 'VALUE1' }),
    WITH_HEADER,
    'cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d',
  ],
  [
    'post-vanilla-query',
    post('/?Param1=value1'),
    PLAIN,
    '28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11',
  ],
  [
    'post-vanilla-query-nonunreserved',
    post('/?%40%23%24%25%5E=&%2B=%2F%2C%3F%3E%3C%60%22%3B%3A%5C%7C%5D%5B%7B%7D'),
    PLAIN,
    '66c82657c86e26fb25238d0e69f011edc4c6df5ae71119d7cb98ed9b87393c1e',
  ],
  ['post-vanilla-query-space', post('/?p='), PLAIN, 'e71688addb58a26418614085fb730ba3faa623b461c17f48f2fbdb9361b94a9b'],
  [
    'post-x-www-form-urlencoded',
    post('/', { 'Content-Type': FORM }, 'Param1=value1'),
    'content-type;host;x-amz-date',
    'ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
  ],
  [
    'post-x-www-form-urlencoded-parameters',
    post('/', { 'Content-Type': `${FORM}; charset=utf8` }, 'Param1=value1'),
    'content-type;host;x-amz-date',
    '1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe',
  ],
];

test.each(SUITE)('the test suite: %s', (_name, request, signedHeaders, signature) => {
  const signed = signAwsRequest(request, SUITE_KEYS, { now: SUITE_TIME });
  expect(signed.authorization).toBe(
    `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=${signedHeaders}, Signature=${signature}`,
  );
  expect(signed.signature).toBe(signature);
  expect(signed.headers).toEqual({ 'x-amz-date': '20150830T123600Z', authorization: signed.authorization });
});

test('what is signed is told step by step', () => {
  const signed = signAwsRequest(get('/'), SUITE_KEYS, { now: () => SUITE_TIME });
  expect(signed.canonicalRequest).toBe(
    'GET\n/\n\nhost:example.amazonaws.com\nx-amz-date:20150830T123600Z\n\nhost;x-amz-date\ne3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  );
  expect(signed.stringToSign).toBe(
    'AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/service/aws4_request\nbb579772317eb040ac9ed261061d46c1f17a8133879d6129b6e1c25292927e63',
  );
});

/** "Signature Calculations for the Authorization Header", Amazon S3 API reference. */
const S3_KEYS = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  region: 'us-east-1',
  service: 's3',
};
const S3_TIME = Date.UTC(2013, 4, 24);
const BUCKET = 'https://examplebucket.s3.amazonaws.com';

describe('S3, whose paths are encoded once and which wants the hash of the body in a header', () => {
  test.each<[string, AwsRequest, string, string]>([
    [
      'GET object',
      { method: 'GET', url: `${BUCKET}/test.txt`, headers: { Range: 'bytes=0-9' } },
      'host;range;x-amz-content-sha256;x-amz-date',
      'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
    ],
    [
      'PUT object',
      {
        method: 'PUT',
        url: `${BUCKET}/test%24file.text`,
        headers: { Date: 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-storage-class': 'REDUCED_REDUNDANCY' },
        body: 'Welcome to Amazon S3.',
      },
      'date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class',
      '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
    ],
    [
      'GET bucket',
      { method: 'GET', url: `${BUCKET}/?max-keys=2&prefix=J` },
      'host;x-amz-content-sha256;x-amz-date',
      '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
    ],
    [
      'GET bucket lifecycle',
      { method: 'GET', url: `${BUCKET}/?lifecycle` },
      'host;x-amz-content-sha256;x-amz-date',
      'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
    ],
  ])('the reference: %s', (_name, request, signedHeaders, signature) => {
    const signed = signAwsRequest(request, S3_KEYS, { now: new Date(S3_TIME) });
    expect(signed.authorization).toBe(
      `AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=${signedHeaders}, Signature=${signature}`,
    );
  });

  const pathOf = (path: string, keys = S3_KEYS) => {
    const { canonicalRequest } = signAwsRequest({ method: 'GET', url: BUCKET + path }, keys, { now: S3_TIME });
    return canonicalRequest.split('\n')[1];
  };

  test.each([
    ['/a%20b', '/a%20b'],
    ['/a+b', '/a%20b'],
    ['/a%2Bb', '/a%2Bb'],
    ['/a%2fb', '/a/b'],
    ['/a(b)!', '/a%28b%29%21'],
    ['/%e1%88%b4', '/%E1%88%B4'],
    ['/%zz', '/%25zz'],
    ['//a//b/', '//a//b/'],
    ['', '/'],
  ])('%s is signed as %s', (path, canonical) => {
    expect(pathOf(path)).toBe(canonical);
  });

  test.each([
    ['/a%20b', '/a%2520b'],
    ['/a(b)', '/a%28b%29'],
    ['//a//b/', '/a/b/'],
    ['/a/..', '/'],
    ['/a/../b', '/b'],
    ['/../a', '/a'],
  ])('every other service has %s signed as %s', (path, canonical) => {
    expect(pathOf(path, { ...S3_KEYS, service: 'execute-api' })).toBe(canonical);
  });
});

test.each([
  ['?b=2&a=1&a=0', 'a=0&a=1&b=2'],
  ['?a=%7e&a=%20&A=+', 'A=%20&a=%20&a=~'],
  ['?a=b=c&&d', 'a=b%3Dc&d='],
  ['?a-b=1&a=2', 'a=2&a-b=1'],
  ['?%41=1', 'A=1'],
])('the query %s is signed as %s', (query, canonical) => {
  const { canonicalRequest } = signAwsRequest(get(`/${query}`), SUITE_KEYS, { now: SUITE_TIME });
  expect(canonicalRequest.split('\n')[2]).toBe(canonical);
});

describe('what the caller has decided', () => {
  const sign = (headers: AwsRequest['headers'], options: SignAwsOptions = {}) => {
    return signAwsRequest({ method: 'PUT', url: `${BUCKET}/x`, headers, body: 'body' }, S3_KEYS, options);
  };

  test('a date and a hash of the body that are there already are taken', () => {
    const { headers } = sign({ 'X-Amz-Date': '20130524T000000Z', 'X-Amz-Content-Sha256': 'UNSIGNED-PAYLOAD' });
    expect(headers).toMatchObject({ 'x-amz-date': '20130524T000000Z', 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' });
    expect(sign({ 'X-Amz-Date': 'yesterday' }).headers['x-amz-date']).toMatch(/^\d{8}T\d{6}Z$/);
    expect(sign({ 'X-Amz-Date': '20130524T000000Z' }, { now: SUITE_TIME }).headers['x-amz-date']).toBe(
      '20150830T123600Z',
    );
  });

  test('temporary keys bring their token, signed unless the service wants it otherwise', () => {
    const keys = { ...SUITE_KEYS, sessionToken: 'token-of-the-session' };
    const signed = signAwsRequest(get('/'), keys, { now: SUITE_TIME });
    expect(signed.headers['x-amz-security-token']).toBe('token-of-the-session');
    expect(signed.authorization).toContain('SignedHeaders=host;x-amz-date;x-amz-security-token,');
    const unsigned = signAwsRequest(get('/'), keys, { now: SUITE_TIME, omitsSessionToken: true });
    expect(unsigned.headers['x-amz-security-token']).toBe('token-of-the-session');
    expect(unsigned.signature).toBe(VANILLA);
  });

  test('an old signature and what hops change are left out of the signature', () => {
    const noise = {
      Authorization: 'AWS4-HMAC-SHA256 old',
      'User-Agent': 'x',
      Connection: 'close',
      'Content-Length': '0',
    };
    expect(signAwsRequest(get('/', noise), SUITE_KEYS, { now: SUITE_TIME }).signature).toBe(VANILLA);
  });

  test('a path alone is signed with the host of the headers, a default port is no part of the host', () => {
    const byPath = { method: 'GET', url: '/', headers: { Host: 'example.amazonaws.com' } };
    expect(signAwsRequest(byPath, SUITE_KEYS, { now: SUITE_TIME }).signature).toBe(VANILLA);
    const byPort = { method: 'GET', url: 'https://example.amazonaws.com:443/' };
    expect(signAwsRequest(byPort, SUITE_KEYS, { now: SUITE_TIME }).signature).toBe(VANILLA);
    const other = { method: 'GET', url: 'https://example.amazonaws.com:8443/' };
    expect(signAwsRequest(other, SUITE_KEYS, { now: SUITE_TIME }).canonicalRequest).toContain(
      'host:example.amazonaws.com:8443',
    );
  });
});

test('what is answered prints neither token nor signature', () => {
  const signed = signAwsRequest(get('/'), { ...SUITE_KEYS, sessionToken: 'token-of-the-session' }, { now: SUITE_TIME });
  expect(JSON.stringify(signed) + inspect(signed)).not.toMatch(/token-of|Signature/);
});
