import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startDnsServer, temporaryFolder } from '@postern/testing';
import { describe, expect, it } from 'vitest';
import { createDnsResolver } from './dns-resolver.ts';

const NO_HOSTS = '/nonexistent/hosts';

describe('createDnsResolver', () => {
  it('asks for A and AAAA and takes the shorter time to live', async () => {
    await using dns = await startDnsServer({
      'both.example': { A: ['192.0.2.1', '192.0.2.2'], AAAA: ['2001:db8::1'], ttlSeconds: 30 },
      'alias.example': { CNAME: 'both.example', ttlSeconds: 7 },
    });
    const resolve = createDnsResolver({ servers: [dns.address], hostsFile: NO_HOSTS });
    expect(await resolve('both.example')).toEqual({
      addresses: ['192.0.2.1', '192.0.2.2', '2001:db8::1'],
      ttlSeconds: 30,
    });
    expect(await resolve('alias.example')).toEqual({
      addresses: ['192.0.2.1', '192.0.2.2', '2001:db8::1'],
      ttlSeconds: 7,
    });
    expect(dns.count('both.example', 'A')).toBe(1);
    expect(dns.count('both.example', 'AAAA')).toBe(1);
  });

  it('is content with one family', async () => {
    await using dns = await startDnsServer({
      'four.example': { A: ['192.0.2.1'] },
      'six.example': { AAAA: ['2001:db8::1'] },
      'broken.example': ({ type }) => (type === 'A' ? { A: ['192.0.2.1'] } : 'servfail'),
      'silent.example': ({ type }) => (type === 'A' ? { A: ['192.0.2.1'] } : 'drop'),
    });
    const resolve = createDnsResolver({ servers: [dns.address], hostsFile: NO_HOSTS, timeoutMs: 400 });
    expect((await resolve('four.example')).addresses).toEqual(['192.0.2.1']);
    expect((await resolve('six.example')).addresses).toEqual(['2001:db8::1']);
    expect((await resolve('broken.example')).addresses).toEqual(['192.0.2.1']);
    expect((await resolve('silent.example')).addresses).toEqual(['192.0.2.1']);
  });

  it('rejects when no family answers with an address', async () => {
    await using dns = await startDnsServer({
      'empty.example': {},
      'failing.example': 'servfail',
      'silent.example': 'drop',
    });
    const resolve = createDnsResolver({ servers: [dns.address], hostsFile: NO_HOSTS, timeoutMs: 200 });
    await expect(resolve('empty.example')).rejects.toMatchObject({ code: 'ENODATA' });
    await expect(resolve('unknown.example')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    await expect(resolve('failing.example')).rejects.toMatchObject({ code: 'ESERVFAIL' });
    await expect(resolve('silent.example')).rejects.toMatchObject({
      code: expect.stringMatching(/^(ETIMEOUT|ECANCELLED)$/),
    });
  });

  it('keeps its deadline for all tries together', async () => {
    await using dns = await startDnsServer({ 'silent.example': 'drop' });
    const startedAt = performance.now();
    await expect(
      createDnsResolver({ servers: [dns.address], hostsFile: NO_HOSTS })('silent.example'),
    ).rejects.toThrow();
    const tookMs = performance.now() - startedAt;
    expect(tookMs).toBeGreaterThan(400);
    expect(tookMs).toBeLessThan(4_000); // Without a deadline of its own, the tries would take 20 s and more.
  });

  it('reads the hosts file first and asks nobody for a name in it', async () => {
    await using folder = await temporaryFolder();
    await using dns = await startDnsServer({ 'db.internal': { A: ['192.0.2.1'] } });
    const hostsFile = join(folder.path, 'hosts');
    await writeFile(hostsFile, '10.0.0.5 db.internal\nfd00::5 db.internal\n');
    const resolve = createDnsResolver({ servers: [dns.address], hostsFile });
    expect(await resolve('db.internal')).toEqual({ addresses: ['10.0.0.5', 'fd00::5'], ttlSeconds: 1 });
    expect(dns.queries).toEqual([]);
  });

  it('goes to the next server when one does not answer', async () => {
    await using silent = await startDnsServer({ 'both.example': 'drop' });
    await using dns = await startDnsServer({ 'both.example': { A: ['192.0.2.1'] } });
    const resolve = createDnsResolver({ servers: [silent.address, dns.address], hostsFile: NO_HOSTS });
    expect((await resolve('both.example')).addresses).toEqual(['192.0.2.1']);
    expect(silent.count('both.example', 'A')).toBe(1);
  });

  it.each([
    'dns.example:53',
    '192.0.2.53',
    '192.0.2.53:0',
    '192.0.2.53:65536',
    '192.0.2.53:dns',
    '2001:db8::53:53',
    '[192.0.2.53]:53',
    '',
  ])('refuses %j as a server', (server) => {
    expect(() => createDnsResolver({ servers: [server] })).toThrow(`"${server}" is not a DNS server`);
  });
});
