import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { createCertificateAuthority, type DnsServer, startDnsServer, temporaryFolder } from '@postern/testing';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { control, outcomeOf } from './support/audit-log.ts';
import { call } from './support/http-client.ts';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const coder = newAgent('coder');
const SECRET = 'upstream-secret-5566778899';
const authority = createCertificateAuthority('Inner authority');
const otherAuthority = createCertificateAuthority('Other authority');

let dns: DnsServer;
let gateway: RunningGateway;

beforeAll(async () => {
  dns = await startDnsServer({
    'upstream.test': { A: ['127.0.0.1'], ttlSeconds: 60 },
    'other.test': { A: ['127.0.0.1'], ttlSeconds: 60 },
    'six.test': { AAAA: ['::1'], ttlSeconds: 60 },
  });
  gateway = await startGateway({
    config: configOf([coder], [], { secrets: { token: { value: SECRET } } }),
    environment: {
      POSTERN_DNS_SERVERS: dns.address,
      POSTERN_UNSAFE_ALLOW_ADDRESSES: '127.0.0.1/32,::1/128',
      // Neither has a say in whom the gateway trusts.
      NODE_TLS_REJECT_UNAUTHORIZED: '0',
    },
  });
});

afterAll(async () => {
  await gateway?.close();
  await dns?.close();
});

interface TlsUpstream {
  readonly port: number;
  /** Names that clients asked for, one for each connection whose handshake was complete. */
  readonly servernames: (string | false | null)[];
  readonly versions: (string | null)[];
  /** TCP connections. */
  accepted(): number;
  /** What was said inside TLS. */
  received(): string;
}

/** Counts the TCP connections of a server, and cuts them when it closes. */
function track(server: Server): { accepted(): number; close(): void } {
  const open = new Set<Socket>();
  let accepted = 0;
  server.on('connection', (socket: Socket) => {
    accepted += 1;
    open.add(socket);
  });
  return {
    accepted: () => accepted,
    close: () => {
      server.close();
      for (const socket of open) socket.destroy();
    },
  };
}

/** Answers every request on a connection with `over TLS`. */
async function startTls(options: TlsOptions, host = '127.0.0.1'): Promise<TlsUpstream> {
  const servernames: (string | false | null)[] = [];
  const versions: (string | null)[] = [];
  let received = '';
  const server = createServer(options, (socket: TLSSocket) => {
    servernames.push(socket.servername ?? null);
    versions.push(socket.getProtocol());
    socket.on('error', () => undefined);
    socket.on('data', (bytes: Buffer) => {
      received += bytes.toString('latin1');
      if (bytes.includes('\r\n\r\n')) socket.write('HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nover TLS');
    });
  });
  const sockets = track(server);
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  onTestFinished(sockets.close);
  return {
    port: (server.address() as AddressInfo).port,
    servernames,
    versions,
    accepted: sockets.accepted,
    received: () => received,
  };
}

let made = 0;
/** A new integration on `base`, with the secret in a bearer header; gives its name. */
async function integrationOn(base: string, more: object = {}): Promise<string> {
  made += 1;
  const name = `i${made}`;
  const body = {
    ...integration(name, base, { credential: { type: 'bearer', secret: 'token' } }),
    network: { unsafeAllowAddresses: ['127.0.0.1/32', '::1/128'] },
    retry: { attempts: 1 },
    ...more,
  };
  const answer = await control(gateway, 'POST', '/v1/integrations', { body });
  if (answer.status !== 201) throw new Error(answer.text);
  return name;
}

const get = (name: string) => call(gateway.dataUrl, `/to/${name}/x`, { headers: { 'postern-key': coder.key } });

describe('a certificate that is not good', () => {
  const day = 86_400_000;
  const selfSigned = createCertificateAuthority('upstream.test');

  test.each<[string, () => TlsOptions, string | null, RegExp]>([
    [
      'made out to another name',
      () => authority.issue(['other.test']),
      authority.cert,
      /ERR_TLS_CERT_ALTNAME_INVALID: .*correct the host of baseUrl.*DNS:other\.test/,
    ],
    [
      'made out to its address alone',
      () => authority.issue(['127.0.0.1']),
      authority.cert,
      /ERR_TLS_CERT_ALTNAME_INVALID/,
    ],
    [
      'expired',
      () => authority.issue(['upstream.test'], { until: new Date(Date.now() - day) }),
      authority.cert,
      /CERT_HAS_EXPIRED: .*must be renewed/,
    ],
    [
      'not valid yet',
      () => authority.issue(['upstream.test'], { from: new Date(Date.now() + day) }),
      authority.cert,
      /CERT_NOT_YET_VALID: .*clock of this machine/,
    ],
    [
      'of a private authority that nobody has named',
      () => authority.issue(['upstream.test']),
      null,
      /UNABLE_TO_[A-Z_]+: .*tls\.ca of the integration/,
    ],
    [
      'of another authority than the one named',
      () => otherAuthority.issue(['upstream.test']),
      authority.cert,
      /UNABLE_TO_[A-Z_]+: .*tls\.ca of the integration/,
    ],
    [
      'signed by itself',
      () => ({ key: selfSigned.key, cert: selfSigned.cert }),
      null,
      /DEPTH_ZERO_SELF_SIGNED_CERT: .*signed by itself.*tls\.ca/,
    ],
  ])('%s is refused before a byte of the call is sent', async (_what, certificate, ca, diagnostic) => {
    const upstream = await startTls(certificate());
    const name = await integrationOn(`https://upstream.test:${upstream.port}`, { tls: { ca } });
    const answer = await get(name);
    expect(answer.problem()).toMatchObject({ status: 502, code: 'upstream_unavailable' });
    // The caller learns nothing of what the log tells.
    expect(answer.text).not.toMatch(/CERT|altname|tls|UNABLE|authority/i);
    expect(upstream.received()).toBe('');
    expect(upstream.accepted()).toBe(1);
    const requestId = answer.headers['postern-request-id'] ?? '';
    await vi.waitFor(() => {
      const lines = gateway
        .stderr()
        .split('\n')
        .filter((line) => line.includes(requestId));
      expect(lines.join('\n')).toMatch(diagnostic);
    });
    expect(await outcomeOf(gateway, requestId)).toMatchObject({ result: 'not_sent', code: 'upstream_unavailable' });
  });

  test('never leads to cleartext, or to another port or address', async () => {
    const seen: string[] = [];
    const clear = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => {
        seen.push(bytes.toString('latin1'));
        socket.end('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
      });
    });
    const sockets = track(clear);
    await new Promise<void>((resolve) => clear.listen(0, '127.0.0.1', resolve));
    onTestFinished(sockets.close);
    const { port } = clear.address() as AddressInfo;
    const answer = await get(await integrationOn(`https://upstream.test:${port}`, { tls: { ca: authority.cert } }));
    expect(answer.problem()).toMatchObject({ status: 502, code: 'upstream_unavailable' });
    expect(sockets.accepted()).toBe(1);
    expect(seen.join('')).not.toMatch(/GET \/|bearer|upstream-secret/i);
    expect(gateway.stderr()).toMatch(/does not speak TLS on this port/);
  });
});

describe('a private authority', () => {
  test('in tls.ca is trusted by its integration and by no other', async () => {
    const upstream = await startTls(authority.issue(['upstream.test']));
    const base = `https://upstream.test:${upstream.port}`;
    const trusting = await integrationOn(base, { tls: { ca: authority.cert } });
    const others = [await integrationOn(base), await integrationOn(base, { tls: { ca: otherAuthority.cert } })];
    expect((await get(trusting)).text).toBe('over TLS');
    for (const name of others) expect((await get(name)).problem().code).toBe('upstream_unavailable');
    expect((await get(trusting)).text).toBe('over TLS');
    expect(upstream.received()).toContain(`authorization: Bearer ${SECRET}`);
  });

  test('may be several', async () => {
    const upstream = await startTls(authority.issue(['upstream.test']));
    const name = await integrationOn(`https://upstream.test:${upstream.port}`, {
      tls: { ca: otherAuthority.cert + authority.cert },
    });
    expect((await get(name)).text).toBe('over TLS');
  });

  test('that is changed closes the warm connections of the one before', async () => {
    const upstream = await startTls(authority.issue(['upstream.test']));
    const name = await integrationOn(`https://upstream.test:${upstream.port}`, { tls: { ca: authority.cert } });
    expect((await get(name)).text).toBe('over TLS');
    expect((await get(name)).text).toBe('over TLS');
    expect(upstream.accepted()).toBe(1);
    const change = (ca: string | null) =>
      control(gateway, 'PATCH', `/v1/integrations/${name}`, { body: { tls: { ca } } });
    expect((await change(otherAuthority.cert)).status).toBe(200);
    expect((await get(name)).problem().code).toBe('upstream_unavailable');
    expect((await change(null)).status).toBe(200);
    expect((await get(name)).problem().code).toBe('upstream_unavailable');
    expect((await change(authority.cert)).status).toBe(200);
    expect((await get(name)).text).toBe('over TLS');
    expect(upstream.servernames).toEqual(['upstream.test', 'upstream.test']);
  });

  test('of a start-up file may stand in a file beside it, and text that is none is refused', async () => {
    const upstream = await startTls(authority.issue(['upstream.test']));
    await using folder = await temporaryFolder();
    const file = path.join(folder.path, 'ca.pem');
    await writeFile(file, authority.cert);
    const more = { tls: { ca: { from: `file:${file}` } } };
    const config = configOf([coder], [integration('api', `https://upstream.test:${upstream.port}`, more)]);
    await using own = await startGateway({ config, environment: { POSTERN_DNS_SERVERS: dns.address } });
    const answer = await call(own.dataUrl, '/to/api/x', { headers: { 'postern-key': coder.key } });
    expect(answer.text).toBe('over TLS');
    expect((await control(own, 'GET', '/v1/export')).text).toContain('BEGIN CERTIFICATE');
    for (const ca of ['', 'no certificate', authority.cert.replace('MI', 'XX'), { from: `file:${file}` }]) {
      const body = { ...integration('bad', 'https://upstream.test'), tls: { ca } };
      const refused = await control(own, 'POST', '/v1/integrations', { body });
      expect(refused.problem().status).toBe(422);
    }
  });
});

describe('the connection that carries the call is the one that was verified', () => {
  test('one connection and one handshake for the first call, none for the next', async () => {
    const upstream = await startTls(authority.issue(['upstream.test']));
    const name = await integrationOn(`https://upstream.test:${upstream.port}`, { tls: { ca: authority.cert } });
    for (let round = 0; round < 3; round += 1) expect((await get(name)).text).toBe('over TLS');
    expect([upstream.accepted(), upstream.servernames]).toEqual([1, ['upstream.test']]);
  });

  test('two integrations, or two hosts of one, share none', async () => {
    const upstream = await startTls(authority.issue(['upstream.test', 'other.test']));
    const base = `https://upstream.test:${upstream.port}`;
    const more = { hosts: ['upstream.test', 'other.test'], tls: { ca: authority.cert } };
    const names = [await integrationOn(base, more), await integrationOn(base, more)];
    for (const name of names) expect((await get(name)).text).toBe('over TLS');
    const document = {
      integration: names[0],
      request: { method: 'GET', url: `https://other.test:${upstream.port}/x` },
    };
    const answer = await call(gateway.dataUrl, '/v1/execute', {
      headers: { 'postern-key': coder.key, 'content-type': 'application/json' },
      body: JSON.stringify(document),
    });
    expect(answer.json()).toMatchObject({ status: 200 });
    expect(upstream.servernames).toEqual(['upstream.test', 'upstream.test', 'other.test']);
  });

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('%s is spoken', async (version) => {
    const upstream = await startTls({
      ...authority.issue(['upstream.test']),
      minVersion: version,
      maxVersion: version,
    });
    const name = await integrationOn(`https://upstream.test:${upstream.port}`, { tls: { ca: authority.cert } });
    expect((await get(name)).text).toBe('over TLS');
    expect(upstream.versions).toEqual([version]);
  });

  test('older versions are not, and the log says so', async () => {
    const upstream = await startTls({
      ...authority.issue(['upstream.test']),
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
    const name = await integrationOn(`https://upstream.test:${upstream.port}`, { tls: { ca: authority.cert } });
    expect((await get(name)).problem().code).toBe('upstream_unavailable');
    expect(upstream.received()).toBe('');
    await vi.waitFor(() => expect(gateway.stderr()).toMatch(/no TLS 1\.2 or 1\.3/));
  });
});

describe('IPv6', () => {
  test('an address as host of the base URL is dialled, verified by its own entry, and has no SNI', async () => {
    const upstream = await startTls(authority.issue(['::1']), '::1');
    const name = await integrationOn(`https://[::1]:${upstream.port}`, { tls: { ca: authority.cert } });
    expect((await get(name)).text).toBe('over TLS');
    expect(upstream.servernames).toEqual([false]);
    expect(upstream.received()).toContain(`host: [::1]:${upstream.port}\r\n`);
  });

  test('an address that the certificate is not for is refused', async () => {
    const upstream = await startTls(authority.issue(['::2', 'localhost']), '::1');
    const name = await integrationOn(`https://[::1]:${upstream.port}`, { tls: { ca: authority.cert } });
    expect((await get(name)).problem().code).toBe('upstream_unavailable');
    expect(upstream.received()).toBe('');
  });

  test('a name with IPv6 addresses alone is called by them, with its name in SNI', async () => {
    const upstream = await startTls(authority.issue(['six.test']), '::1');
    const name = await integrationOn(`https://six.test:${upstream.port}`, { tls: { ca: authority.cert } });
    expect((await get(name)).text).toBe('over TLS');
    expect(upstream.servernames).toEqual(['six.test']);
    const outcome = await outcomeOf(gateway, (await get(name)).headers['postern-request-id']);
    expect(outcome).toMatchObject({ result: 'done', url: `https://six.test:${upstream.port}/x` });
  });

  test('an address that is not allowed is refused at the save', async () => {
    const body = { ...integration('bad', 'https://[::1]:8443'), network: {} };
    expect((await control(gateway, 'POST', '/v1/integrations', { body })).problem()).toMatchObject({
      issues: [{ field: 'baseUrl' }],
    });
  });
});
