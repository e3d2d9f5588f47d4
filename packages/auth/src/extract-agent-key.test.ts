import { Rejection } from '@postern/schemas';
import { describe, expect, test } from 'vitest';
import { generateAdminToken } from './admin-token.ts';
import { generateAgentKey } from './agent-key.ts';
import { AGENT_KEY_HEADERS, AGENT_KEY_SOURCES, type AgentKeySource, extractAgentKey } from './extract-agent-key.ts';

const { key } = generateAgentKey();
const other = generateAgentKey().key;
const broken = key.slice(0, -1) + (key.endsWith('0') ? '1' : '0');
const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

describe('places that hold the key', () => {
  test.each<[string, string, AgentKeySource]>([
    ['Postern-Key', key, 'postern-key'],
    ['Proxy-Authorization', `Bearer ${key}`, 'proxy-authorization'],
    ['Proxy-Authorization', basic(`${key}:`), 'proxy-authorization'],
    ['Proxy-Authorization', basic(`github:${key}`), 'proxy-authorization'],
    ['Authorization', `Bearer ${key}`, 'authorization'],
    ['Authorization', `bearer   ${key}`, 'authorization'],
    ['Authorization', `BEARER ${key}`, 'authorization'],
    ['Authorization', `token ${key}`, 'authorization'],
    ['Authorization', `Token ${key}`, 'authorization'],
    ['Authorization', key, 'authorization'],
    ['Authorization', basic(`${key}:x-oauth-basic`), 'authorization'],
    ['Authorization', basic(`x-access-token:${key}`), 'authorization'],
    ['Authorization', basic(`${key}:`), 'authorization'],
    ['Authorization', basic(`:${key}`), 'authorization'],
    ['Authorization', basic(key), 'authorization'],
    ['Authorization', basic(`${key}:${key}`), 'authorization'],
    ['Authorization', basic(`${key}:`).replace('Basic', 'basic'), 'authorization'],
    ['X-Api-Key', key, 'x-api-key'],
    ['Api-Key', key, 'api-key'],
    ['X-Goog-Api-Key', key, 'x-goog-api-key'],
    ['Private-Token', key, 'private-token'],
  ])('%s: %s', (name, value, source) => {
    for (const spelling of [name, name.toLowerCase(), name.toUpperCase()]) {
      const rawHeaders = ['Host', 'localhost', spelling, value, 'Content-Type', 'application/json'];
      expect(extractAgentKey(rawHeaders)).toEqual({ kind: 'found', key, source });
    }
  });
});

describe('places that do not', () => {
  test.each<[string, string]>([
    ['Authorization', `Digest ${key}`],
    ['Authorization', `Bearers ${key}`],
    ['Authorization', `Bearer${key}`],
    ['Authorization', 'Bearer'],
    ['Authorization', 'Bearer '],
    ['Authorization', ''],
    ['Authorization', 'Basic ?????'],
    ['Authorization', basic('user:password')],
    ['Authorization', basic(`user:x${key}`)],
    ['Authorization', 'Bearer sk-proj-0123456789'],
    ['Authorization', `Bearer ${generateAdminToken()}`],
    ['Proxy-Authorization', key],
    ['Proxy-Authorization', `token ${key}`],
    ['X-Api-Key', `Bearer ${key}`],
    ['X-Api-Key', 'sk-0123456789'],
    ['Postern-Keys', key],
    ['Postern_Key', key],
    ['X-Auth-Token', key],
    ['Cookie', key],
    ['X-Api-Kez', key],
  ])('%s: %s', (name, value) => {
    expect(extractAgentKey(['Host', 'localhost', name, value])).toEqual({ kind: 'absent' });
  });

  test('no header at all, and a list that ends with a name', () => {
    expect(extractAgentKey([])).toEqual({ kind: 'absent' });
    expect(extractAgentKey(['Postern-Key'])).toEqual({ kind: 'absent' });
  });
});

describe('text that only begins as a key', () => {
  test.each<[string, string, AgentKeySource]>([
    ['Postern-Key', broken, 'postern-key'],
    ['Authorization', `Bearer ${key.slice(0, -1)}`, 'authorization'],
    ['Authorization', `Bearer ${key}0`, 'authorization'],
    ['Authorization', basic(`user:${broken}`), 'authorization'],
    ['Proxy-Authorization', basic(`${broken}:`), 'proxy-authorization'],
    ['X-Api-Key', `${key}, ${key}`, 'x-api-key'],
    ['Private-Token', 'pst_', 'private-token'],
  ])('%s: %s is malformed', (name, value, source) => {
    expect(extractAgentKey([name, value])).toEqual({ kind: 'malformed', source });
  });

  test('the first such place is told', () => {
    const rawHeaders = ['Private-Token', broken, 'Postern-Key', broken, 'X-Api-Key', broken];
    expect(extractAgentKey(rawHeaders)).toEqual({ kind: 'malformed', source: 'postern-key' });
  });

  test('it does not hide a good key elsewhere', () => {
    expect(extractAgentKey(['Postern-Key', broken, 'Api-Key', key])).toEqual({ kind: 'found', key, source: 'api-key' });
    expect(extractAgentKey(['Api-Key', key, 'Postern-Key', broken])).toEqual({ kind: 'found', key, source: 'api-key' });
  });
});

describe('several places', () => {
  const inAll = AGENT_KEY_SOURCES.map(
    (source) => [source, source.endsWith('authorization') ? `Bearer ${key}` : key] as const,
  );

  test('the same key everywhere is one key; the first place in the order is told, whatever the order of the headers', () => {
    for (const [index, source] of AGENT_KEY_SOURCES.entries()) {
      const rest = inAll.slice(index);
      expect(extractAgentKey(rest.flat())).toEqual({ kind: 'found', key, source });
      expect(extractAgentKey(rest.toReversed().flat())).toEqual({ kind: 'found', key, source });
    }
  });

  test('a provider key beside the agent key is passed over', () => {
    const rawHeaders = ['Authorization', 'Bearer sk-proj-1', 'Postern-Key', key, 'X-Api-Key', 'sk-2'];
    expect(extractAgentKey(rawHeaders)).toEqual({ kind: 'found', key, source: 'postern-key' });
  });

  test.each<[string, string[]]>([
    ['in two headers', ['Postern-Key', key, 'X-Api-Key', other]],
    ['in the same header twice', ['Authorization', `Bearer ${key}`, 'Authorization', `Bearer ${other}`]],
    ['in the two halves of Basic', ['Authorization', basic(`${key}:${other}`)]],
    ['for the proxy and for the target', ['Proxy-Authorization', basic(`${key}:`), 'Authorization', `Bearer ${other}`]],
    ['after the same key twice', ['Postern-Key', key, 'X-Api-Key', key, 'Private-Token', other]],
  ])('two different keys %s are refused without showing them', (_title, rawHeaders) => {
    let caught: unknown;
    try {
      extractAgentKey(rawHeaders);
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(Rejection);
    expect(caught).toMatchObject({ code: 'malformed_request', status: 400 });
    expect((caught as Rejection).message).not.toContain('pst_');
  });
});

test('the set of headers to remove is exactly the places that are searched', () => {
  expect([...AGENT_KEY_HEADERS]).toEqual([
    'postern-key',
    'proxy-authorization',
    'authorization',
    'x-api-key',
    'api-key',
    'x-goog-api-key',
    'private-token',
  ]);
});
