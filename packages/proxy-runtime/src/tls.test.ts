import { once } from 'node:events';
import { type AddressInfo, isIP } from 'node:net';
import { createServer, type TLSSocket } from 'node:tls';
import { createCertificateAuthority } from '@postern/testing';
import { expect, onTestFinished, test } from 'vitest';
import { startExchange } from './exchange.ts';
import { get, laneFor, RecordingSink, targetOf } from './raw-upstream.test-support.ts';

const authority = createCertificateAuthority();

async function startTlsUpstream(names: readonly string[]) {
  const servernames: (string | false | null)[] = [];
  const server = createServer({ ...authority.issue(names), ALPNProtocols: ['h2', 'http/1.1'] }, (socket: TLSSocket) => {
    servernames.push(socket.servername);
    socket.on('error', () => {});
    socket.on('data', () => {
      const protocol = String(socket.alpnProtocol);
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${protocol.length}\r\n\r\n${protocol}`);
    });
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const lane = laneFor({ port });
  onTestFinished(async () => {
    await lane.transport.destroy();
    server.close();
  });
  async function call(host: string, ca: string | undefined): Promise<RecordingSink> {
    const sink = new RecordingSink();
    const target = targetOf(port, { scheme: 'https', host, tls: ca === undefined ? undefined : { ca } });
    const headers = ['host', isIP(host) === 0 ? host : '127.0.0.1'];
    startExchange(lane, { target, request: get('/', { headers }) }, sink);
    await sink.over.promise;
    return sink;
  }
  return { call, servernames };
}

test('a private authority is trusted for its upstream, the name goes into SNI, and HTTP/2 is not chosen', async () => {
  const { call, servernames } = await startTlsUpstream(['upstream.test']);
  expect((await call('upstream.test', authority.cert)).body).toBe('http/1.1');
  expect((await call('upstream.test', authority.cert)).body).toBe('http/1.1');
  expect(servernames).toEqual(['upstream.test']);
});

test.each([
  ['from an unknown authority', 'upstream.test', undefined],
  ['for another name', 'other.test', authority.cert],
])('a certificate %s is refused before a byte of the request is sent', async (_name, host, ca) => {
  const { call } = await startTlsUpstream(['upstream.test']);
  const { failure } = await call(host, ca);
  expect(failure).toMatchObject({ code: 'upstream_unavailable', sentBytes: 'none', headPassed: false });
});

test('an address as host has no SNI and is checked by its own entry', async () => {
  const { call, servernames } = await startTlsUpstream(['127.0.0.1']);
  expect((await call('127.0.0.1', authority.cert)).body).toBe('http/1.1');
  expect(servernames).toEqual([false]);
});
