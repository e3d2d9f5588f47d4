import { createCertificateAuthority, startRawUpstream, startUpstream } from '@postern/testing';
import { Client } from 'undici';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createPinnedConnector, type PinnedConnectorOptions } from './pinned-connector.ts';

interface Call {
  readonly origin: string;
  readonly options: PinnedConnectorOptions;
  readonly headers?: Record<string, string>;
  readonly allowH2?: boolean;
}

/** One GET through an undici client with the connector; the body of the answer, or the error of the client. */
async function call({ origin, options, headers = {}, allowH2 = false }: Call): Promise<string> {
  const client = new Client(origin, { connect: createPinnedConnector(options), allowH2 });
  try {
    const { body } = await client.request({ method: 'GET', path: '/', headers });
    return await body.text();
  } finally {
    await client.destroy();
  }
}

/** Answers every request with the name it was asked for. */
const tellHost = {
  handler: (request: { headers: Readonly<Record<string, string>> }, response: { end(text: string): void }) =>
    response.end(request.headers['host'] ?? ''),
};

afterEach(() => vi.unstubAllEnvs());

describe('createPinnedConnector', () => {
  it('dials the address and keeps the name for Host', async () => {
    await using upstream = await startUpstream({ ...tellHost, host: '127.0.0.2' });
    const origin = `http://api.example.com:${upstream.port}`;
    expect(await call({ origin, options: { address: '127.0.0.2' } })).toBe(`api.example.com:${upstream.port}`);
  });

  it('takes a verdict and settings as its options', async () => {
    await using upstream = await startUpstream({ ...tellHost, host: '127.0.0.2' });
    const verdict = {
      verdict: 'allow',
      scheme: 'http',
      host: 'api.example.com',
      port: upstream.port,
      address: '127.0.0.2',
      class: 'loopback',
    } as const;
    const origin = `http://api.example.com:${upstream.port}`;
    expect(await call({ origin, options: { ...verdict, connectTimeoutMs: 1_000 } })).toContain('api.example.com');
  });

  it('reaches IPv6 and mapped addresses', async () => {
    await using six = await startUpstream({ ...tellHost, host: '::1' });
    expect(await call({ origin: `http://[::1]:${six.port}`, options: { address: '::1', host: '::1' } })).toContain(
      '[::1]',
    );
    await using four = await startUpstream({ ...tellHost, host: '127.0.0.2' });
    const origin = `http://[::ffff:127.0.0.2]:${four.port}`;
    expect(await call({ origin, options: { address: '::ffff:127.0.0.2', host: '[::ffff:7f00:2]' } })).toContain(
      '7f00:2',
    );
  });

  it('ignores proxy variables', async () => {
    await using proxy = await startRawUpstream((socket) => void socket.destroy());
    for (const name of ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'ALL_PROXY']) vi.stubEnv(name, proxy.url);
    vi.stubEnv('NODE_USE_ENV_PROXY', '1');
    await using upstream = await startUpstream({ ...tellHost, host: '127.0.0.2' });
    await call({ origin: `http://api.example.com:${upstream.port}`, options: { address: '127.0.0.2' } });
    expect(upstream.connections).toBe(1);
    expect(proxy.connections).toBe(0);
  });

  it('breaks off when the socket leads to another address', async () => {
    // The system connects to 127.0.0.1 when asked for 0.0.0.0: the one way to be led astray without any trick.
    await using upstream = await startUpstream({ host: '127.0.0.1' });
    const attempt = call({ origin: `http://api.example.com:${upstream.port}`, options: { address: '0.0.0.0' } });
    await expect(attempt).rejects.toMatchObject({ code: 'ERR_PINNED_ADDRESS_MISMATCH' });
    expect(upstream.requests).toEqual([]);
  });

  it.each<[string, string, Partial<PinnedConnectorOptions>]>([
    ['another host', 'http://other.example:1', { host: 'api.example.com' }],
    ['another port', 'http://api.example.com:1', { port: 2 }],
    ['another port than the default one', 'http://api.example.com', { port: 443 }],
    ['another scheme', 'http://api.example.com:1', { scheme: 'https' }],
    ['another address', 'http://127.0.0.3:1', {}],
  ])('dials nothing for %s than was judged', async (_, origin, options) => {
    const attempt = call({ origin, options: { address: '127.0.0.2', ...options } });
    await expect(attempt).rejects.toMatchObject({ code: 'ERR_PINNED_TARGET_MISMATCH' });
  });

  it('dials nothing for a Unix socket', async () => {
    const connect = createPinnedConnector({ address: '127.0.0.2' });
    const error = await new Promise((resolve) => {
      connect({ hostname: 'a', protocol: 'http:', port: '1', socketPath: '/run/a' }, (...answer) => resolve(answer[0]));
    });
    expect(error).toMatchObject({ code: 'ERR_PINNED_TARGET_MISMATCH' });
  });

  it('refuses what is no address', () => {
    for (const address of ['localhost', 'api.example.com', '127.1', '[::1]', 'fe80::1%lo', '']) {
      expect(() => createPinnedConnector({ address })).toThrow(`"${address}" is not an IP address`);
    }
  });

  it('passes on the refusal of a connection', async () => {
    const upstream = await startUpstream({ host: '127.0.0.2' });
    await upstream.close();
    const attempt = call({ origin: `http://api.example.com:${upstream.port}`, options: { address: '127.0.0.2' } });
    await expect(attempt).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('gives up when TLS is not up in time', async () => {
    await using silent = await startRawUpstream(() => {});
    const options = { address: '127.0.0.1', connectTimeoutMs: 50 };
    const attempt = call({ origin: `https://api.example.com:${silent.port}`, options });
    await expect(attempt).rejects.toMatchObject({ code: 'UND_ERR_CONNECT_TIMEOUT' });
  });

  it('reports a peer that hangs up during the handshake', async () => {
    await using rude = await startRawUpstream((socket) => void socket.end());
    const attempt = call({ origin: `https://api.example.com:${rude.port}`, options: { address: '127.0.0.1' } });
    await expect(attempt).rejects.toMatchObject({ code: 'ECONNRESET' });
  });
});

describe('TLS through a pinned connector', () => {
  const authority = createCertificateAuthority();

  it('checks the certificate against the name, not the address', async () => {
    await using upstream = await startUpstream({ ...tellHost, tls: authority.issue(['api.example.com']) });
    const options = { address: '127.0.0.1', ca: authority.cert };
    expect(await call({ origin: `https://api.example.com:${upstream.port}`, options })).toContain('api.example.com');
    const other = call({ origin: `https://other.example:${upstream.port}`, options });
    await expect(other).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    expect(upstream.requests).toHaveLength(1);
  });

  it('lets no Host header change the name that is checked', async () => {
    await using upstream = await startUpstream({ ...tellHost, tls: authority.issue(['evil.example']) });
    const options = { address: '127.0.0.1', ca: authority.cert };
    const attempt = call({
      origin: `https://api.example.com:${upstream.port}`,
      options,
      headers: { host: 'evil.example' },
    });
    await expect(attempt).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
    expect(upstream.requests).toEqual([]);
  });

  it('checks addresses by their own entry of the certificate', async () => {
    await using right = await startUpstream({ ...tellHost, tls: authority.issue(['127.0.0.1']) });
    const options = { address: '127.0.0.1', ca: authority.cert };
    expect(await call({ origin: `https://127.0.0.1:${right.port}`, options })).toContain('127.0.0.1');
    await using wrong = await startUpstream({ tls: authority.issue(['127.0.0.2']) });
    const attempt = call({ origin: `https://127.0.0.1:${wrong.port}`, options });
    await expect(attempt).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
  });

  it('trusts no authority but the given one or the public ones, whatever the environment says', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    await using upstream = await startUpstream({ tls: authority.issue(['api.example.com']) });
    const origin = `https://api.example.com:${upstream.port}`;
    for (const ca of [undefined, createCertificateAuthority().cert]) {
      const attempt = call({ origin, options: { address: '127.0.0.1', ca } });
      await expect(attempt).rejects.toMatchObject({ code: expect.stringMatching(/SELF_SIGNED|UNABLE_TO|SIGNATURE/) });
    }
    expect(upstream.requests).toEqual([]);
  });

  it('checks another name when the configuration says so', async () => {
    await using upstream = await startUpstream({ ...tellHost, tls: authority.issue(['inner.example']) });
    const options = { address: '127.0.0.1', ca: authority.cert, servername: 'inner.example' };
    expect(await call({ origin: `https://api.example.com:${upstream.port}`, options })).toContain('api.example.com');
  });

  it('offers HTTP/1.1 alone, even to a client that would take HTTP/2', async () => {
    await using upstream = await startUpstream({ ...tellHost, tls: authority.issue(['api.example.com']) });
    const connect = createPinnedConnector({ address: '127.0.0.1', ca: authority.cert });
    const { promise, resolve } = Promise.withResolvers<unknown>();
    connect({ hostname: 'api.example.com', protocol: 'https:', port: String(upstream.port) }, (...[, socket]) => {
      resolve(socket !== null && 'alpnProtocol' in socket ? socket.alpnProtocol : 'no TLS');
      socket?.destroy();
    });
    expect(await promise).toBe('http/1.1');
  });
});
