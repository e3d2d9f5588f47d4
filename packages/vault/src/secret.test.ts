import { format, inspect } from 'node:util';
import { expect, test } from 'vitest';
import { Secret } from './secret.ts';

const TEXT = 'tøp-secret-value';
const make = () => new Secret(new TextEncoder().encode(TEXT));

test('only reveal gives the value out', () => {
  expect(make().reveal()).toBe(TEXT);
  expect(make().revealBytes()).toStrictEqual(new TextEncoder().encode(TEXT));
});

test.each<[string, (secret: Secret) => string]>([
  ['String()', (secret) => String(secret)],
  ['a template', (secret) => `${secret}`],
  ['addition', (secret) => '' + (secret as unknown as string)],
  ['JSON', (secret) => JSON.stringify({ secret })],
  ['JSON of an array', (secret) => JSON.stringify([secret])],
  ['inspect', (secret) => inspect({ secret }, { depth: null, showHidden: true })],
  [
    'inspect without its custom form',
    (secret) => inspect(secret, { customInspect: false, showHidden: true, depth: null }),
  ],
  ['format', (secret) => format('%s %o %O %j', secret, secret, secret, secret)],
  ['a structured clone', (secret) => JSON.stringify(structuredClone(secret))],
  ['its keys and values', (secret) => JSON.stringify([Object.entries(secret), { ...secret }])],
])('%s does not show the value', (_title, print) => {
  const printed = print(make());
  expect(printed).not.toContain('secret-value');
  expect(printed).not.toMatch(/116/);
});

test('printed forms say that a secret is there', () => {
  expect(`${make()} ${JSON.stringify(make())} ${inspect(make())}`).toBe('[secret] "[secret]" [secret]');
});

test('destroy overwrites the bytes, and nothing is revealed after it', () => {
  const bytes = new TextEncoder().encode(TEXT);
  const secret = new Secret(bytes);
  secret.destroy();
  secret.destroy();
  expect(bytes).toStrictEqual(new Uint8Array(bytes.length));
  expect(() => secret.reveal()).toThrow(expect.objectContaining({ code: 'secret_destroyed' }));
  expect(() => secret.revealBytes()).toThrow(expect.objectContaining({ code: 'secret_destroyed' }));
});

test('bytes that are not text are given as bytes only', () => {
  const secret = new Secret(new Uint8Array([0x66, 0xff]));
  expect(() => secret.reveal()).toThrow(expect.objectContaining({ code: 'secret_not_text' }));
  expect(secret.revealBytes()).toStrictEqual(new Uint8Array([0x66, 0xff]));
  expect(make().reveal()).toBe(TEXT);
});

test('a byte order mark is part of the value', () => {
  expect(new Secret(new Uint8Array([0xef, 0xbb, 0xbf, 0x61])).reveal()).toBe('\ufeffa');
});
