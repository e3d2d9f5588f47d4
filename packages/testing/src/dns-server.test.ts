import { Resolver } from 'node:dns/promises';
import { expect, test } from 'vitest';
import { type DnsServer, startDnsServer } from './dns-server.ts';

function resolverOf(server: DnsServer): Resolver {
  const resolver = new Resolver({ timeout: 200, tries: 1 });
  resolver.setServers([server.address]);
  return resolver;
}

test('addresses are answered with their lifetime', async () => {
  await using server = await startDnsServer({
    'api.test': { A: ['192.0.2.1', '192.0.2.2'], AAAA: ['2001:db8::1'], ttlSeconds: 7 },
  });
  const resolver = resolverOf(server);
  expect(await resolver.resolve4('API.test', { ttl: true })).toEqual([
    { address: '192.0.2.1', ttl: 7 },
    { address: '192.0.2.2', ttl: 7 },
  ]);
  expect(await resolver.resolve6('api.test')).toEqual(['2001:db8::1']);
  expect(server.queries).toEqual([
    { name: 'api.test', type: 'A' },
    { name: 'api.test', type: 'AAAA' },
  ]);
});

test('aliases are followed inside the zone', async () => {
  await using server = await startDnsServer({ 'a.test': { CNAME: 'b.test' }, 'b.test': { A: ['192.0.2.9'] } });
  expect(await resolverOf(server).resolve4('a.test')).toEqual(['192.0.2.9']);
});

test.each([
  ['nxdomain', 'ENOTFOUND'],
  ['servfail', 'ESERVFAIL'],
  ['refused', 'EREFUSED'],
  ['drop', 'ETIMEOUT'],
] as const)('the fault %s reaches the resolver as %s', async (answer, code) => {
  await using server = await startDnsServer({ 'x.test': answer });
  await expect(resolverOf(server).resolve4('x.test')).rejects.toMatchObject({ code });
  expect(server.count('x.test', 'A')).toBeGreaterThan(0);
});

test('a name without records of the asked type has no data, and a name outside the zone does not exist', async () => {
  await using server = await startDnsServer({ 'x.test': { A: ['192.0.2.1'] } });
  await expect(resolverOf(server).resolve6('x.test')).rejects.toMatchObject({ code: 'ENODATA' });
  await expect(resolverOf(server).resolve4('y.test')).rejects.toMatchObject({ code: 'ENOTFOUND' });
});

test('an answer may depend on how often the name was asked', async () => {
  await using server = await startDnsServer({
    'rebind.test': (_query, earlier) => ({ A: [earlier === 0 ? '192.0.2.1' : '127.0.0.1'] }),
  });
  const resolver = resolverOf(server);
  expect(await resolver.resolve4('rebind.test')).toEqual(['192.0.2.1']);
  expect(await resolver.resolve4('rebind.test')).toEqual(['127.0.0.1']);
});

test('an answer can be changed while the server runs', async () => {
  await using server = await startDnsServer();
  const resolver = resolverOf(server);
  await expect(resolver.resolve4('late.test')).rejects.toMatchObject({ code: 'ENOTFOUND' });
  server.answer('late.test', { A: ['192.0.2.3'] });
  expect(await resolver.resolve4('late.test')).toEqual(['192.0.2.3']);
  expect(server.count('late.test')).toBe(2);
});

test('a delayed answer comes late, and not at all once the server is closed', async () => {
  await using server = await startDnsServer({
    'slow.test': { A: ['192.0.2.4'], delayMs: 30 },
    'never.test': { A: ['192.0.2.5'], delayMs: 60_000 },
  });
  const resolver = resolverOf(server);
  const begin = performance.now();
  expect(await resolver.resolve4('slow.test')).toEqual(['192.0.2.4']);
  expect(performance.now() - begin).toBeGreaterThanOrEqual(29);
  await expect(resolver.resolve4('never.test')).rejects.toMatchObject({ code: 'ETIMEOUT' });
});
