import { describe, expect, it } from 'vitest';
import { CanonicalUrlError, type CanonicalUrlErrorCode } from './canonical-url-error.ts';
import { canonicaliseUrl } from './canonicalise-url.ts';

/** The canonical text, or the code of the refusal after an exclamation mark. */
function outcome(url: string, base?: string): string {
  try {
    return canonicaliseUrl(url, base);
  } catch (error) {
    if (error instanceof CanonicalUrlError) return `!${error.code satisfies CanonicalUrlErrorCode}`;
    throw error;
  }
}

const BASE = 'https://api.example.com/v1';

describe('canonicaliseUrl with a base (acceptance vector 6)', () => {
  it.each([
    // Segment boundary
    ['https://api.example.com/v1', 'https://api.example.com/v1'],
    ['https://api.example.com/v1/', 'https://api.example.com/v1/'],
    ['https://api.example.com/v1?a', 'https://api.example.com/v1?a'],
    ['https://api.example.com/v1/evil', 'https://api.example.com/v1/evil'],
    ['https://api.example.com/v1evil', '!outside_base'],
    ['https://api.example.com/v1;evil', '!outside_base'],
    ['https://api.example.com/v1%2fevil', '!outside_base'],
    ['https://api.example.com/V1/evil', '!outside_base'],
    ['https://api.example.com//v1/evil', '!outside_base'],
    ['https://api.example.com/v', '!outside_base'],
    ['https://api.example.com/', '!outside_base'],
    ['https://api.example.com', '!outside_base'],
    ['https://api.example.com/%76%31/x', 'https://api.example.com/v1/x'],
    // Dot segments, plain and encoded
    ['/a/../b', 'https://api.example.com/v1/b'],
    ['/..', '!outside_base'],
    ['/.', 'https://api.example.com/v1/'],
    ['/a/..', 'https://api.example.com/v1/'],
    ['/a/../..', '!outside_base'],
    ['/../v1/x', 'https://api.example.com/v1/x'],
    ['/../../../v1/x', 'https://api.example.com/v1/x'],
    ['/../v1evil', '!outside_base'],
    ['/../v2/x', '!outside_base'],
    ['/%2e%2e/admin', '!outside_base'],
    ['/%2E./admin', '!outside_base'],
    ['/.%2e/admin', '!outside_base'],
    ['/a/%2e%2e/b', 'https://api.example.com/v1/b'],
    ['/%2e/b', 'https://api.example.com/v1/b'],
    ['/...', 'https://api.example.com/v1/...'],
    ['/.hidden/..b/c..', 'https://api.example.com/v1/.hidden/..b/c..'],
    ['https://api.example.com/v1/../admin', '!outside_base'],
    ['https://api.example.com/v1/%2e%2e/admin', '!outside_base'],
    ['https://api.example.com/x/../v1/a', 'https://api.example.com/v1/a'],
    // Encoded separators
    ['/a%2fb', 'https://api.example.com/v1/a%2fb'],
    ['/a%2Fb', 'https://api.example.com/v1/a%2Fb'],
    ['/a%5cb%5C', 'https://api.example.com/v1/a%5cb%5C'],
    ['/..%2fadmin', '!dot_segment_encoded'],
    ['/%2e%2e%2Fadmin', '!dot_segment_encoded'],
    ['/a%2f..', '!dot_segment_encoded'],
    ['/a%2f..%2fb', '!dot_segment_encoded'],
    ['/a%2f.%2fb', '!dot_segment_encoded'],
    ['/a%5c%2e%2e%5Cb', '!dot_segment_encoded'],
    ['/a%2f...%2fb', 'https://api.example.com/v1/a%2f...%2fb'],
    ['/a%2f..b', 'https://api.example.com/v1/a%2f..b'],
    ['/a%2fb/../c', 'https://api.example.com/v1/c'],
    ['/%252e%252e/x', 'https://api.example.com/v1/%252e%252e/x'],
    ['/a%252f..%252fb', 'https://api.example.com/v1/a%252f..%252fb'],
    ['/%ef%bc%8e%ef%bc%8e/x', 'https://api.example.com/v1/%EF%BC%8E%EF%BC%8E/x'],
    ['/．．/x', 'https://api.example.com/v1/%EF%BC%8E%EF%BC%8E/x'],
    ['/a／b', 'https://api.example.com/v1/a%EF%BC%8Fb'],
    ['/é/e\u0301', 'https://api.example.com/v1/%C3%A9/e%CC%81'],
    ['//a//', 'https://api.example.com/v1//a//'],
    ['/A/a/', 'https://api.example.com/v1/A/a/'],
    // Path parameters
    ['/a;b=c/d', 'https://api.example.com/v1/a;b=c/d'],
    ['/a;..', 'https://api.example.com/v1/a;..'],
    ['/..;/admin', '!dot_segment_encoded'],
    ['/..;a=b/admin', '!dot_segment_encoded'],
    ['/.;/admin', '!dot_segment_encoded'],
    ['/%2e%2e%3b/admin', '!dot_segment_encoded'],
    ['/a%2f..;x', '!dot_segment_encoded'],
    ['/...;x', 'https://api.example.com/v1/...;x'],
    // Another port, host, scheme, userinfo
    ['https://api.example.com:443/v1/x', 'https://api.example.com/v1/x'],
    ['https://api.example.com:444/v1/x', '!bad_port'],
    ['https://api.example.com:80/v1/x', '!bad_port'],
    ['http://api.example.com:443/v1/x', '!bad_scheme'],
    ['https://api.example.com.evil.test/v1/x', '!bad_host'],
    ['https://evil.test/v1/x', '!bad_host'],
    ['https://user@api.example.com/v1/x', '!userinfo'],
    ['https://user:password@api.example.com/v1/x', '!userinfo'],
    ['https://@api.example.com/v1/x', '!userinfo'],
    ['https://api.example.com@evil.test/v1/x', '!userinfo'],
    ['/a@b', 'https://api.example.com/v1/a@b'],
    // What looks like an authority in a path stays a path
    ['//evil.test/x', 'https://api.example.com/v1//evil.test/x'],
    ['///evil.test', 'https://api.example.com/v1///evil.test'],
    ['/https://evil.test/', 'https://api.example.com/v1/https://evil.test/'],
    ['', 'https://api.example.com/v1'],
    ['?a=b', 'https://api.example.com/v1?a=b'],
    ['evil', '!not_absolute'],
    ['.evil.test/', '!not_absolute'],
    ['@evil.test/', '!not_absolute'],
    [':444/', '!not_absolute'],
  ])('%s → %s', (url, expected) => {
    expect(outcome(url, BASE)).toBe(expected);
    expect(outcome(url, `${BASE}/`)).toBe(expected);
  });

  it.each([
    ['https://api.example.com', '/x', 'https://api.example.com/x'],
    ['https://api.example.com/', '', 'https://api.example.com/'],
    ['https://api.example.com', '/../x', 'https://api.example.com/x'],
    ['https://api.example.com', '//evil.test/', 'https://api.example.com//evil.test/'],
    ['HTTPS://API.example.com:443/a/../v1/', '/x', 'https://api.example.com/v1/x'],
    ['http://localhost:8099', '/x', 'http://localhost:8099/x'],
    ['https://api.example.com/v1?key=1', '/x', '!bad_base'],
    ['https://api.example.com/v1?', '/x', '!bad_base'],
    ['https://api.example.com/v1#', '/x', '!bad_base'],
    ['https://me@api.example.com', '/x', '!userinfo'],
    ['api.example.com', '/x', '!not_absolute'],
  ])('base %s with %s → %s', (base, path, expected) => {
    expect(outcome(path, base)).toBe(expected);
  });
});

describe('canonicaliseUrl without a base', () => {
  it.each([
    // Scheme
    ['HtTpS://a.test/', 'https://a.test/'],
    ['ftp://a.test/', '!bad_scheme'],
    ['file:///etc/passwd', '!bad_scheme'],
    ['javascript://a.test/', '!bad_scheme'],
    ['https:/a.test/', '!not_absolute'],
    ['https:a.test', '!not_absolute'],
    ['//a.test/', '!not_absolute'],
    ['/a', '!not_absolute'],
    ['', '!not_absolute'],
    // Host
    ['https://A.TEST/', 'https://a.test/'],
    ['https://a.test', 'https://a.test/'],
    ['https://a.test./', 'https://a.test/'],
    ['https://a.test../', '!bad_host'],
    ['https://a..test/', '!bad_host'],
    ['https://.a.test/', '!bad_host'],
    ['https:///a.test/', '!bad_host'],
    ['https://bücher.test/', 'https://xn--bcher-kva.test/'],
    ['https://BÜCHER.test/', 'https://xn--bcher-kva.test/'],
    ['https://xn--bcher-kva.test/', 'https://xn--bcher-kva.test/'],
    ['https://a。test/', 'https://a.test/'],
    ['https://ａ.test/', 'https://a.test/'],
    ['https://%61.test/', '!bad_host'],
    ['https://a%2etest/', '!bad_host'],
    ['https://a*.test/', '!bad_host'],
    ['https://a_b.test/', 'https://a_b.test/'],
    ['https://-a.test/', '!bad_host'],
    ['https://a／b.test/', '!bad_host'],
    ['https://a＠b.test/', '!bad_host'],
    [`https://${'a'.repeat(63)}.test/`, `https://${'a'.repeat(63)}.test/`],
    [`https://${'a'.repeat(64)}.test/`, '!bad_host'],
    [`https://${'a.'.repeat(126)}b/`, `https://${'a.'.repeat(126)}b/`],
    [`https://${'a.'.repeat(126)}bc/`, '!bad_host'],
    ['https://127.0.0.1/', 'https://127.0.0.1/'],
    ['https://127.0.0.1./', 'https://127.0.0.1/'],
    ['https://0x7f.1/', 'https://127.0.0.1/'],
    ['https://2130706433/', 'https://127.0.0.1/'],
    ['https://1.2.3.256/', '!bad_host'],
    ['https://[::1]/', 'https://[::1]/'],
    ['https://[0:0:0:0:0:0:0:1]:8443/', 'https://[::1]:8443/'],
    ['https://[::FFFF:127.0.0.1]/', 'https://[::ffff:7f00:1]/'],
    ['https://[fe80::1%25eth0]/', '!bad_host'],
    ['https://[::1/', '!bad_host'],
    ['https://[::1]a/', '!bad_host'],
    ['https://::1/', '!bad_host'],
    // Port
    ['https://a.test:/', 'https://a.test/'],
    ['https://a.test:443/', 'https://a.test/'],
    ['https://a.test:0443/', 'https://a.test/'],
    ['http://a.test:80/', 'http://a.test/'],
    ['http://a.test:443/', 'http://a.test:443/'],
    ['https://a.test:65535/', 'https://a.test:65535/'],
    ['https://a.test:65536/', '!bad_port'],
    ['https://a.test:0/', '!bad_port'],
    ['https://a.test:+1/', '!bad_port'],
    ['https://a.test:1a/', '!bad_port'],
    ['https://a.test:80:443/', '!bad_host'],
    // Characters
    ['https://a.test/%41%7e%2D%5f', 'https://a.test/A~-_'],
    ['https://a.test/%c3%bc%3a', 'https://a.test/%C3%BC%3A'],
    ['https://a.test/ü', 'https://a.test/%C3%BC'],
    ['https://a.test/😀?é', 'https://a.test/%F0%9F%98%80?%C3%A9'],
    ['https://a.test/\ud83d', '!lone_surrogate'],
    ['https://a.test/"<>[]^`{|}', 'https://a.test/%22%3C%3E%5B%5D%5E%60%7B%7C%7D'],
    ["https://a.test/!$&'()*+,;=:@", "https://a.test/!$&'()*+,;=:@"],
    ['https://a.test/a//b///', 'https://a.test/a//b///'],
    ['https://a.test/%', '!bad_percent_encoding'],
    ['https://a.test/%4', '!bad_percent_encoding'],
    ['https://a.test/%4g', '!bad_percent_encoding'],
    ['https://a.test/%%34%31', '!bad_percent_encoding'],
    ['https://a.test/%u0041', '!bad_percent_encoding'],
    ['https://a.test/%25', 'https://a.test/%25'],
    ['https://a.test/%2541', 'https://a.test/%2541'],
    ['https://a.test/%c0%ae', '!bad_percent_encoding'],
    ['https://a.test/%c1%81', '!bad_percent_encoding'],
    ['https://a.test/%C2%80', 'https://a.test/%C2%80'],
    ['https://a.test/%e0%80%ae', '!bad_percent_encoding'],
    ['https://a.test/%e0%a0%80', 'https://a.test/%E0%A0%80'],
    ['https://a.test/%f0%80%80%ae', '!bad_percent_encoding'],
    ['https://a.test/%f0%90%80%80', 'https://a.test/%F0%90%80%80'],
    ['https://a.test/%00', '!control_character'],
    ['https://a.test/%1f', '!control_character'],
    ['https://a.test/%20', 'https://a.test/%20'],
    ['https://a.test/%7f', '!control_character'],
    ['https://a.test/a\\b', '!raw_backslash'],
    ['https://a.test\\@evil.test/', '!raw_backslash'],
    ['https:\\\\a.test/', '!raw_backslash'],
    ['https://a.test/?\\', '!raw_backslash'],
    ['https://a.test/a b', '!raw_space'],
    ['https://a.test/?a b', '!raw_space'],
    [' https://a.test/', '!raw_space'],
    ['https://a.test/\0', '!control_character'],
    ['https://a.test/\t', '!control_character'],
    ['https://a.te\nst/', '!control_character'],
    ['https://a.test/?\r', '!control_character'],
    ['https://a.test/\x7f', '!control_character'],
    ['https://a.test/\x80', '!control_character'],
    ['https://a.test/\xa0', 'https://a.test/%C2%A0'],
    ['https://a.test/#', '!fragment'],
    ['https://a.test/?a#b', '!fragment'],
    ['https://a.test/%23', 'https://a.test/%23'],
    // Query
    ['https://a.test/?', 'https://a.test/?'],
    ['https://a.test?', 'https://a.test/?'],
    ['https://a.test?b', 'https://a.test/?b'],
    ['https://a.test/?b=2&a=1&&a=&=&a', 'https://a.test/?b=2&a=1&&a=&=&a'],
    ['https://a.test/?a+b=%2b', 'https://a.test/?a+b=%2B'],
    ['https://a.test/?%61=%3d&b[]=%5b', 'https://a.test/?a=%3D&b%5B%5D=%5B'],
    ["https://a.test/?'=%27", 'https://a.test/?%27=%27'],
    ['https://a.test/?u=https%3a%2f%2fx/../y?z', 'https://a.test/?u=https%3A%2F%2Fx/../y?z'],
    ['https://a.test/?a=%0a%00', 'https://a.test/?a=%0A%00'],
    ['https://a.test/?100%', '!bad_percent_encoding'],
  ])('%j → %j', (url, expected) => {
    expect(outcome(url)).toBe(expected);
  });

  it('takes 8,192 bytes and refuses one more, before and after encoding', () => {
    const origin = 'https://a.test/';
    expect(outcome(origin + 'a'.repeat(8_192 - origin.length))).toHaveLength(8_192);
    expect(outcome(origin + 'a'.repeat(8_193 - origin.length))).toBe('!too_long');
    expect(outcome(origin + '%61'.repeat(8_192))).toBe('!too_long');
    expect(outcome(`${origin}?${'{'.repeat((8_191 - origin.length) / 3)}`).length).toBeLessThanOrEqual(8_192);
    expect(outcome(`${origin}?${'{'.repeat(8_191 / 3)}`)).toBe('!too_long');
  });

  it('never repeats the URL in a refusal', () => {
    expect(() => canonicaliseUrl('https://hunter2@a.test/')).toThrow(/^the URL must not hold a user name or password$/);
  });
});
