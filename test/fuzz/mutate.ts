import type { Random } from './random.ts';

/** What parsers have been seen to disagree about, or to trip over. */
const REQUEST_TOKENS = [
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: xchunked\r\n',
  'Transfer-Encoding:\tchunked\r\n',
  'Transfer-Encoding: \x0bchunked\r\n',
  'Transfer-Encoding : chunked\r\n',
  'Transfer-Encoding: chunked, identity\r\n',
  'Transfer-Encoding: identity, chunked\r\n',
  'Transfer-Encoding: gzip, chunked\r\n',
  'Transfer_Encoding: chunked\r\n',
  'Content-Length: 0\r\n',
  'Content-Length: 5\r\n',
  'Content-Length: +5\r\n',
  'Content-Length: 0x5\r\n',
  'Content-Length: 5, 5\r\n',
  'Content-Length: 99999999999999999999\r\n',
  'Content-Length: 20000000\r\n',
  'Content-Length:\r\n',
  'Host: evil.test\r\n',
  'Host:\r\n',
  'Connection: close\r\n',
  'Connection: upgrade\r\nUpgrade: websocket\r\n',
  'Connection: host, content-length\r\n',
  'Upgrade: h2c\r\n',
  'Expect: 100-continue\r\n',
  'Expect: tea\r\n',
  'X-Fold: a\r\n b\r\n',
  'X Space: a\r\n',
  'X-Nul: a\0b\r\n',
  ': nameless\r\n',
  'no colon\r\n',
  'GET /to/api/inserted HTTP/1.1\r\nHost: localhost\r\n\r\n',
  'CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  ' HTTP/1.0\r\n',
  ' HTTP/0.9\r\n',
  ' HTTP/2.0\r\n',
  ' HTTP/1.10\r\n',
  ' RTSP/1.0\r\n',
  '0\r\n\r\n',
  'ffffffffffffffff\r\n',
  '-1\r\n',
  '3;\r\n',
];

const RESPONSE_TOKENS = [
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n',
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
  'HTTP/1.1 204 No Content\r\n\r\n',
  'HTTP/1.1 099 X\r\n',
  'HTTP/1.1 999 X\r\n',
  'HTTP/1.1 2000 X\r\n',
  'HTTP/2.0 200 OK\r\n',
  'HTTP/1.0 200 OK\r\n',
  'ICY 200 OK\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: gzip, chunked\r\n',
  'Transfer-Encoding: identity\r\n',
  'Content-Length: 0\r\n',
  'Content-Length: 5\r\n',
  'Content-Length: 5, 5\r\n',
  'Content-Length: -5\r\n',
  'Content-Length: 99999999999999999999\r\n',
  'Content-Encoding: gzip\r\n',
  'Content-Encoding: br\r\n',
  'Content-Encoding: unknown\r\n',
  'Content-Type: text/event-stream\r\n',
  'Connection: close\r\n',
  'Connection: content-length, x-fuzz-id\r\n',
  'Location: http://evil.test/\r\n',
  'Location: /x\r\nLocation: /y\r\n',
  'Set-Cookie: a=b\r\n',
  'Postern-Request-Id: forged\r\n',
  'X-Fold: a\r\n b\r\n',
  'X-Nul: a\0b\r\n',
  'X-High: \xff\xfe\r\n',
  '__proto__: x\r\n',
  'constructor: x\r\n',
  ': nameless\r\n',
  '0\r\n\r\n',
  'ffffffffffffffff\r\n',
  '0\r\nX-Trailer: 1\r\nContent-Length: 5\r\n\r\n',
  'data: x\n\n',
];

/** The same bytes with up to `most` of the changes below. */
export function mutateRequest(random: Random, bytes: Buffer, most: number): Buffer {
  return mutate(random, bytes, { most, tokens: REQUEST_TOKENS });
}

export function mutateResponse(random: Random, bytes: Buffer, most: number): Buffer {
  return mutate(random, bytes, { most, tokens: RESPONSE_TOKENS });
}

function mutate(random: Random, bytes: Buffer, { most, tokens }: { most: number; tokens: readonly string[] }): Buffer {
  let changed = bytes;
  for (let count = 1 + random.below(most); count > 0 && changed.length > 0; count -= 1)
    changed = change(random, changed, tokens);
  return changed;
}

function change(random: Random, bytes: Buffer, tokens: readonly string[]): Buffer {
  const at = random.below(bytes.length);
  const length = 1 + random.below(Math.min(40, bytes.length - at));
  switch (random.below(14)) {
    case 0:
      return splice(bytes, at, 1, Buffer.from([(bytes[at] as number) ^ (1 << random.below(8))]));
    case 1:
      return splice(bytes, at, 1, Buffer.from([random.below(256)]));
    case 2:
      return splice(bytes, at, 0, Buffer.from([random.pick([0, 9, 10, 11, 13, 32, 58, 127, 255])]));
    case 3:
      return splice(bytes, at, length, NOTHING);
    case 4:
      return splice(bytes, at, 0, bytes.subarray(at, at + length));
    case 5:
      return bytes.subarray(0, at);
    case 6:
      return changeLineEnd(random, bytes, at);
    case 7:
      return changeDigit(random, bytes, at);
    case 8:
      return splice(bytes, at, 0, Buffer.from('a'.repeat(random.pick([1, 100, 8_300, 33_000]))));
    case 9:
      return insertField(bytes, at, Buffer.from('X-Many: 1\r\n'.repeat(random.pick([2, 90, 110]))));
    default:
      return random.once(4)
        ? splice(bytes, at, 0, Buffer.from(random.pick(tokens), 'latin1'))
        : insertField(bytes, at, Buffer.from(random.pick(tokens), 'latin1'));
  }
}

const NOTHING = Buffer.alloc(0);

function splice(bytes: Buffer, at: number, removed: number, inserted: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at + removed)]);
}

/** Behind the next line's end, where a field or another message would stand. */
function insertField(bytes: Buffer, at: number, field: Buffer): Buffer {
  const end = bytes.indexOf('\r\n', at);
  return end < 0 ? bytes : splice(bytes, end + 2, 0, field);
}

function changeLineEnd(random: Random, bytes: Buffer, at: number): Buffer {
  const end = bytes.indexOf('\r\n', at);
  return end < 0
    ? bytes
    : splice(
        bytes,
        end,
        2,
        Buffer.from(random.pick(['\n', '\r', '\r\r\n', '\n\r', '', '\r\n\r\n', '\r\n ']), 'latin1'),
      );
}

function changeDigit(random: Random, bytes: Buffer, at: number): Buffer {
  for (let index = at; index < bytes.length; index += 1) {
    const byte = bytes[index] as number;
    if (byte >= 0x30 && byte <= 0x39) return splice(bytes, index, 1, Buffer.from([0x30 + random.below(10)]));
  }
  return bytes;
}

/** The bytes in up to `most` + 1 pieces, as they might come over a network. */
export function split(random: Random, bytes: Buffer, most: number): Buffer[] {
  const cuts = Array.from({ length: random.below(most + 1) }, () => random.below(bytes.length + 1)).sort(
    (a, b) => a - b,
  );
  const pieces: Buffer[] = [];
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    if (cut > from) pieces.push(bytes.subarray(from, cut));
    from = Math.max(from, cut);
  }
  return pieces;
}
