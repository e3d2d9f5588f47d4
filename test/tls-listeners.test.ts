import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, connect as connectPlain, createServer } from 'node:net';
import path from 'node:path';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import {
  createCertificateAuthority,
  openRawConnection,
  type ServerCertificate,
  speakRaw,
  startUpstream,
  type TemporaryFolder,
  temporaryFolder,
  type Upstream,
} from '@postern/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { configOf, integration, newAgent } from './support/scenario.ts';
import { type RunningGateway, startGateway } from './support/start-gateway.ts';

const coder = newAgent('coder');
const authority = createCertificateAuthority();
const clients = createCertificateAuthority('The clients');
const strangers = createCertificateAuthority('Somebody else');

let folder: TemporaryFolder;
let upstream: Upstream;
let gateway: RunningGateway;

async function writePem(name: string, text: string): Promise<string> {
  const file = path.join(folder.path, name);
  await writeFile(file, text);
  return file;
}

async function tlsEnvironment(): Promise<Record<string, string>> {
  const { cert, key } = authority.issue(['127.0.0.1', '::1', 'localhost']);
  const files = {
    CERT: await writePem('cert.pem', cert),
    KEY: await writePem('key.pem', key),
    CA: await writePem('ca.pem', clients.cert),
  };
  return Object.fromEntries(
    ['POSTERN_', 'POSTERN_ADMIN_'].flatMap((prefix) => [
      [`${prefix}LISTEN`, '127.0.0.1:0'],
      [`${prefix}TLS_CERT_FILE`, files.CERT],
      [`${prefix}TLS_KEY_FILE`, files.KEY],
      [`${prefix}CLIENT_CA_FILE`, files.CA],
    ]),
  );
}

beforeAll(async () => {
  folder = await temporaryFolder();
  upstream = await startUpstream();
  gateway = await startGateway({
    config: configOf([coder], [integration('api', upstream.url)]),
    environment: await tlsEnvironment(),
  });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
  await folder?.remove();
});

const portOf = (url: string) => Number(new URL(url).port);

async function shakeHands(url: string, options: ConnectionOptions): Promise<TLSSocket> {
  const socket = connectTls({ host: '127.0.0.1', port: portOf(url), ca: authority.cert, ...options });
  await once(socket, 'secureConnect');
  return socket;
}

/** With TLS 1.3 a client learns only from its first read that its certificate was not wanted. */
async function isLetIn(url: string, options: ConnectionOptions): Promise<boolean> {
  try {
    using connection = speakRaw(await shakeHands(url, options));
    connection.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
    return (await connection.read()).status === 200;
  } catch {
    return false;
  }
}

const both = () => [gateway.dataUrl, gateway.adminUrl];

describe('both listeners with TLS', () => {
  const known: ServerCertificate = clients.issue(['client']);

  test('say so in the ready line', () => {
    for (const url of both()) expect(url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
  });

  test('let in clients with a certificate of their authority alone', async () => {
    for (const url of both()) {
      expect(await isLetIn(url, known)).toBe(true);
      expect(await isLetIn(url, {})).toBe(false);
      expect(await isLetIn(url, strangers.issue(['client']))).toBe(false);
      const past = clients.issue(['client'], { from: new Date('2020-01-01'), until: new Date('2021-01-01') });
      expect(await isLetIn(url, past)).toBe(false);
    }
  });

  test('speak TLS 1.2 and 1.3, and nothing older', async () => {
    for (const url of both()) {
      for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
        expect([version, await isLetIn(url, { ...known, minVersion: version, maxVersion: version })]).toEqual([
          version,
          true,
        ]);
      for (const version of ['TLSv1', 'TLSv1.1'] as const) {
        const old = { ...known, minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' };
        expect([version, await isLetIn(url, old)]).toEqual([version, false]);
      }
    }
  });

  test('are not talked into HTTP/2', async () => {
    const socket = await shakeHands(gateway.dataUrl, { ...known, ALPNProtocols: ['h2', 'http/1.1'] });
    expect(socket.alpnProtocol).toBe('http/1.1');
    socket.destroy();
  });

  test('a call passes, with its links', async () => {
    upstream.answerWith((_request, response) => {
      response.writeHead(200, { link: `<${upstream.url}/next>; rel="next"` }).end('ok');
    });
    using connection = speakRaw(await shakeHands(gateway.dataUrl, known));
    connection.write(`GET /to/api/x HTTP/1.1\r\nHost: localhost\r\nPostern-Key: ${coder.key}\r\n\r\n`);
    const answer = await connection.read();
    expect(answer.headers['link']).toBe(`<${gateway.dataUrl}/to/api/next>; rel="next"`);
  });

  test('what is no request is refused over TLS as without', async () => {
    using connection = speakRaw(await shakeHands(gateway.dataUrl, known));
    connection.write('noise\r\n\r\n');
    expect((await connection.read()).status).toBe(400);
    expect((await connection.rest).byteLength).toBe(0);
  });

  test.each([
    ['a request without TLS', 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['noise', '\x00\x01\x02\x03 noise'],
    ['half a handshake, then the end', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ])('%s ends the connection, and the gateway goes on', async (_what, bytes) => {
    for (const url of both()) {
      using connection = await openRawConnection(portOf(url));
      connection.write(bytes);
      if (bytes.startsWith('\x16')) connection.socket.end();
      const said = (await connection.rest).toString('latin1');
      // At most a TLS alert: nothing that a client could take for an answer.
      expect(said).not.toContain('HTTP/');
      expect(await isLetIn(url, known)).toBe(true);
    }
  });

  test('a client that never ends its handshake is let go', async () => {
    const started = performance.now();
    const silent = both().map(async (url) => {
      const socket = connectPlain(portOf(url), '127.0.0.1');
      socket.on('error', () => undefined);
      socket.resume();
      await once(socket, 'close');
      return performance.now() - started;
    });
    for (const lasted of await Promise.all(silent)) {
      expect(lasted).toBeGreaterThan(9_000);
      expect(lasted).toBeLessThan(13_000);
    }
  });

  test('clients in the middle of a handshake do not hold up the end', async () => {
    await using other = await startGateway({ environment: await tlsEnvironment() });
    const socket = connectPlain(portOf(other.dataUrl), '127.0.0.1');
    socket.on('error', () => undefined);
    await once(socket, 'connect');
    // The gateway has accepted it by the time it has answered somebody else.
    expect(await isLetIn(other.dataUrl, known)).toBe(true);
    const started = performance.now();
    expect((await other.kill('SIGTERM')).code).toBe(0);
    expect(performance.now() - started).toBeLessThan(5_000);
    socket.destroy();
  });
});

describe('IPv6', () => {
  test('listeners on it are told with brackets, and links lead there', async () => {
    await using ipv6 = await startUpstream({ host: '::1' });
    await using other = await startGateway({
      config: configOf(
        [coder],
        [
          {
            ...integration('api', ipv6.url),
            network: { unsafeAllowAddresses: ['::1/128'], unsafeAllowCleartextCredentials: true },
          },
        ],
      ),
      environment: { POSTERN_LISTEN: '[::1]:0', POSTERN_ADMIN_LISTEN: '[::1]:0' },
    });
    for (const url of [other.dataUrl, other.adminUrl]) expect(url).toMatch(/^http:\/\/\[::1\]:\d+$/);
    ipv6.answerWith((_request, response) => {
      response.writeHead(302, { location: `${ipv6.url}/there` }).end();
    });
    using connection = await openRawConnection(portOf(other.dataUrl), '::1');
    connection.write(`GET /to/api/x HTTP/1.1\r\nHost: [::1]\r\nPostern-Key: ${coder.key}\r\n\r\n`);
    const answer = await connection.read();
    expect([answer.status, answer.headers['location']]).toEqual([302, `${other.dataUrl}/to/api/there`]);
    expect(ipv6.requests.at(-1)?.headers['host']).toBe(new URL(ipv6.url).host);
  });

  test('a call to the gateway’s own address is refused', async () => {
    const port = await freePort('::1');
    const network = { unsafeAllowAddresses: ['::1/128'], unsafeAllowCleartextCredentials: true };
    const bases = [`http://[::1]:${port}`, `http://[0:0:0:0:0:0:0:1]:${port}`];
    const integrations = bases.map((base, index) => ({ ...integration(`self-${index}`, base), network }));
    await using other = await startGateway({
      config: configOf([coder], integrations),
      environment: { POSTERN_LISTEN: `[::1]:${port}` },
    });
    expect(portOf(other.dataUrl)).toBe(port);
    for (const index of bases.keys()) {
      using connection = await openRawConnection(port, '::1');
      connection.write(`GET /to/self-${index}/healthz HTTP/1.1\r\nHost: [::1]\r\nPostern-Key: ${coder.key}\r\n\r\n`);
      const answer = await connection.read();
      expect([answer.status, JSON.parse(answer.body.toString()).code]).toEqual([403, 'address_forbidden']);
    }
  });
});

async function freePort(host: string): Promise<number> {
  const server = createServer().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

describe('who calls', () => {
  const agents = [
    { ...newAgent('v4'), addresses: ['10.0.0.0/8', '192.0.2.7'] },
    { ...newAgent('v6'), addresses: ['2001:db8::/32'] },
    { ...newAgent('here'), addresses: ['127.0.0.0/8', '::1'] },
    { ...newAgent('nowhere'), addresses: [] as string[] },
  ];
  const [v4, v6, here] = agents as [(typeof agents)[0], (typeof agents)[0], (typeof agents)[0]];
  const config = () => ({
    ...configOf([], [integration('api', upstream.url)]),
    agents: agents
      .filter(({ name }) => name !== 'nowhere')
      .map(({ name, key, addresses }) => ({ name, key, addresses })),
  });
  let trusting: RunningGateway;
  let plain: RunningGateway;

  beforeAll(async () => {
    trusting = await startGateway({
      config: config(),
      environment: {
        POSTERN_LISTEN: '[::]:0',
        POSTERN_UNSAFE_ALLOW_CLEARTEXT: '1',
        POSTERN_TRUSTED_PROXIES: '127.0.0.1, ::1, 10.9.0.0/16',
      },
    });
    plain = await startGateway({ config: config() });
  });

  afterAll(async () => {
    await trusting?.close();
    await plain?.close();
  });

  /** The status, or the code of a refusal. */
  async function ask(at: RunningGateway, key: string, fields: string, host = '127.0.0.1'): Promise<number | string> {
    using connection = await openRawConnection(portOf(at.dataUrl), host);
    connection.write(`GET /v1/whoami HTTP/1.1\r\nHost: localhost\r\nPostern-Key: ${key}\r\n${fields}\r\n`);
    const answer = await connection.read();
    return answer.status === 200 ? 200 : JSON.parse(answer.body.toString()).code;
  }

  test.each<[string, string, number | string]>([
    ['nothing', '', 'address_not_allowed'],
    ['an address of the list', 'X-Forwarded-For: 10.1.2.3\r\n', 200],
    ['an address of the list with a port', 'X-Forwarded-For: 10.1.2.3:4567\r\n', 200],
    ['a mapped address of the list', 'X-Forwarded-For: ::ffff:10.1.2.3\r\n', 200],
    ['a mapped address in hexadecimal', 'X-Forwarded-For: [::ffff:a01:203]:80\r\n', 200],
    ['the one address of the list', 'X-Forwarded-For: 192.0.2.7\r\n', 200],
    ['its neighbour', 'X-Forwarded-For: 192.0.2.8\r\n', 'address_not_allowed'],
    [
      'an address of the list that the client wrote itself',
      'X-Forwarded-For: 10.1.2.3, 203.0.113.5\r\n',
      'address_not_allowed',
    ],
    ['the same in two fields', 'X-Forwarded-For: 10.1.2.3\r\nX-Forwarded-For: 203.0.113.5\r\n', 'address_not_allowed'],
    ['an address of the list behind a trusted one', 'X-Forwarded-For: 10.1.2.3, 10.9.1.1\r\n', 200],
    ['the same in two fields', 'X-Forwarded-For: 10.1.2.3\r\nx-forwarded-for: 10.9.1.1\r\n', 200],
    ['a trusted one alone', 'X-Forwarded-For: 10.9.1.1\r\n', 200],
    ['garbage', 'X-Forwarded-For: garbage\r\n', 'address_not_allowed'],
    ['garbage behind an address of the list', 'X-Forwarded-For: 10.1.2.3, garbage\r\n', 'address_not_allowed'],
    ['an octal address', 'X-Forwarded-For: 012.1.2.3\r\n', 'address_not_allowed'],
    ['another field', 'X-Real-Ip: 10.1.2.3\r\nForwarded: for=10.1.2.3\r\n', 'address_not_allowed'],
  ])('behind a trusted proxy that tells of %s', async (_what, fields, expected) => {
    expect(await ask(trusting, v4.key, fields)).toBe(expected);
    // The listener is dual-stack, so 127.0.0.1 came as ::ffff:127.0.0.1, and ::1 comes as itself.
    expect(await ask(trusting, v4.key, fields, '::1')).toBe(expected);
    // Nobody is trusted there.
    expect(await ask(plain, v4.key, fields)).toBe('address_not_allowed');
  });

  test('an agent with IPv6 networks', async () => {
    expect(await ask(trusting, v6.key, 'X-Forwarded-For: 2001:db8::1\r\n')).toBe(200);
    expect(await ask(trusting, v6.key, 'X-Forwarded-For: [2001:db8:ffff::1]:443\r\n')).toBe(200);
    expect(await ask(trusting, v6.key, 'X-Forwarded-For: 2001:db9::1\r\n')).toBe('address_not_allowed');
    expect(await ask(trusting, v6.key, 'X-Forwarded-For: 10.1.2.3\r\n')).toBe('address_not_allowed');
  });

  test('an agent of this machine, over IPv4, mapped IPv4 and IPv6', async () => {
    expect(await ask(plain, here.key, '')).toBe(200);
    expect(await ask(plain, here.key, 'X-Forwarded-For: 203.0.113.5\r\n')).toBe(200);
    expect(await ask(trusting, here.key, '')).toBe(200);
    expect(await ask(trusting, here.key, '', '::1')).toBe(200);
    expect(await ask(trusting, here.key, 'X-Forwarded-For: 203.0.113.5\r\n')).toBe('address_not_allowed');
  });
});
