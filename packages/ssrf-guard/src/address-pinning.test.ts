import { startDnsServer, startUpstream } from '@postern/testing';
import { Client } from 'undici';
import { describe, expect, it } from 'vitest';
import { createDnsResolver } from './dns-resolver.ts';
import { judgeTarget } from './judge-target.ts';
import { createPinnedConnector } from './pinned-connector.ts';
import { createTargetGuard } from './target-guard.ts';
import { compileTargetPolicy } from './target-policy.ts';
import type { Verdict } from './verdict.ts';

const LOOPBACK = { unsafeAllowAddresses: ['127.0.0.2/32', '127.0.0.3/32'] };

const tellAs = (name: string) => (_: unknown, response: { end(text: string): void }) => response.end(name);

async function get(origin: string, verdict: Verdict): Promise<string> {
  if (verdict.verdict !== 'allow') throw new Error(`denied: ${verdict.code}`);
  const client = new Client(origin, { connect: createPinnedConnector(verdict) });
  try {
    return await (await client.request({ method: 'GET', path: '/' })).body.text();
  } finally {
    await client.destroy();
  }
}

describe('a name with one public and one private answer', () => {
  it.each([
    ['two A records', { A: ['8.8.8.8', '10.0.0.1'] }, '10.0.0.1'],
    ['an A and an AAAA record', { A: ['8.8.8.8'], AAAA: ['fd00::1'] }, 'fd00::1'],
    ['a late AAAA record', { A: ['8.8.8.8'], AAAA: ['::1'] }, '::1'],
    ['a mapped AAAA record', { A: ['8.8.8.8'], AAAA: ['::ffff:127.0.0.1'] }, '127.0.0.1'],
  ])('is refused: %s', async (_, records, address) => {
    await using dns = await startDnsServer({
      'mixed.example': ({ type }) => (type === 'AAAA' ? { ...records, delayMs: 50 } : records),
    });
    const resolve = createDnsResolver({ servers: [dns.address] });
    const refused = { verdict: 'deny', code: 'address_forbidden', host: 'mixed.example', address };
    expect(await judgeTarget('https://mixed.example/', { resolve })).toMatchObject(refused);
    const target = { scheme: 'https', host: 'mixed.example', port: 443 } as const;
    expect(await createTargetGuard({ resolve }).judge(target, compileTargetPolicy())).toMatchObject(refused);
  });
});

describe('an answer that changes between check and connect', () => {
  it('does not matter: the judged address is dialled', async () => {
    await using judged = await startUpstream({ host: '127.0.0.2', handler: tellAs('judged') });
    await using dns = await startDnsServer({ 'rebind.example': { A: ['127.0.0.2'] } });
    const resolve = createDnsResolver({ servers: [dns.address] });
    const origin = `http://rebind.example:${judged.port}`;
    const verdict = await judgeTarget(origin, { resolve, ...LOOPBACK });
    expect(verdict).toMatchObject({ verdict: 'allow', address: '127.0.0.2' });

    dns.answer('rebind.example', { A: ['127.0.0.3'] });
    const queriesBefore = dns.queries.length;
    expect(await get(origin, verdict)).toBe('judged');
    expect(judged.requests).toHaveLength(1);
    expect(dns.queries).toHaveLength(queriesBefore);
  });

  it('is dialled by the next judgement once its time is over, and recorded', async () => {
    await using first = await startUpstream({ host: '127.0.0.2', handler: tellAs('first') });
    await using second = await startUpstream({ host: '127.0.0.3', handler: tellAs('second') });
    await using dns = await startDnsServer({ 'rebind.example': { A: ['127.0.0.2'], ttlSeconds: 5 } });
    let nowMs = 0;
    const guard = createTargetGuard({ resolve: createDnsResolver({ servers: [dns.address] }), now: () => nowMs });
    const policy = compileTargetPolicy(LOOPBACK);
    const judge = (port: number) => guard.judge({ scheme: 'http', host: 'rebind.example', port }, policy);

    expect(await get(`http://rebind.example:${first.port}`, await judge(first.port))).toBe('first');
    dns.answer('rebind.example', { A: ['127.0.0.3'], ttlSeconds: 5 });
    nowMs = 4_999;
    expect(await get(`http://rebind.example:${first.port}`, await judge(first.port))).toBe('first');
    nowMs = 5_000;
    expect(await get(`http://rebind.example:${second.port}`, await judge(second.port))).toBe('second');
    expect(first.requests).toHaveLength(2);
    expect(second.requests).toHaveLength(1);
    expect(guard.rebindingObservations('rebind.example')).toMatchObject([
      { before: ['127.0.0.2'], after: ['127.0.0.3'] },
    ]);
  });

  it('is refused by the next judgement when it leads inside', async () => {
    await using dns = await startDnsServer({ 'rebind.example': { A: ['8.8.8.8'] } });
    const resolve = createDnsResolver({ servers: [dns.address] });
    expect(await judgeTarget('http://rebind.example', { resolve })).toMatchObject({
      verdict: 'allow',
      address: '8.8.8.8',
    });
    dns.answer('rebind.example', { A: ['169.254.169.254'] });
    const open = { resolve, unsafeAllowAddresses: ['0.0.0.0/0'] };
    expect(await judgeTarget('http://rebind.example', open)).toMatchObject({ code: 'metadata_forbidden' });
  });
});
