import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createCertificateAuthority } from './certificate-authority.ts';
import { startUpstream, type Upstream } from './upstream.ts';

let upstream: Upstream | undefined;
afterEach(() => upstream?.close());

test('a request is recorded exactly as it was sent', async () => {
  upstream = await startUpstream();
  const socket = connect(upstream.port, '127.0.0.1');
  socket.write(
    'PUT /a/%2e%2e/b?q=%20 HTTP/1.1\r\nHost: x\r\nX-One: 1\r\nx-ONE: 2\r\nContent-Length: 3\r\nConnection: close\r\n\r\n\x00\x01\x02',
  );
  socket.resume();
  await once(socket, 'close');
  const request = upstream.requests[0];
  expect(request?.method).toBe('PUT');
  expect(request?.url).toBe('/a/%2e%2e/b?q=%20');
  expect(request?.rawHeaders.slice(2, 6)).toEqual(['X-One', '1', 'x-ONE', '2']);
  expect(request?.headers['x-one']).toBe('1, 2');
  expect([...(request?.body ?? [])]).toEqual([0, 1, 2]);
  expect(request?.complete).toBe(true);
});

test('the default answer says what arrived', async () => {
  upstream = await startUpstream();
  const response = await fetch(`${upstream.url}/path`, { method: 'POST', body: 'hello' });
  expect(await response.json()).toMatchObject({ method: 'POST', url: '/path', body: 'hello' });
});

test('a handler can answer before the body is there, and an aborted body is seen as incomplete', async () => {
  upstream = await startUpstream({
    answerAt: 'head',
    handler: (_request, response) => void response.writeHead(200).flushHeaders(),
  });
  const request = httpRequest(`${upstream.url}/`, { method: 'POST', headers: { 'content-length': 10 } });
  request.on('error', () => {});
  request.write('four');
  await once(request, 'response');
  request.destroy();
  await upstream.requests[0]?.ended;
  expect(upstream.requests[0]?.complete).toBe(false);
  expect(new TextDecoder().decode(upstream.requests[0]?.body)).toBe('four');
});

test('a handler that throws cuts the connection', async () => {
  upstream = await startUpstream({
    handler: () => {
      throw new Error('broken on purpose');
    },
  });
  await expect(fetch(upstream.url)).rejects.toThrow();
});

test('waiting for requests ends when they have begun', async () => {
  upstream = await startUpstream();
  const two = upstream.waitForRequests(2);
  await Promise.all([fetch(upstream.url), fetch(upstream.url), two]);
  await upstream.waitForRequests(1);
  expect(upstream.requests).toHaveLength(2);
});

test('closing cuts open connections and frees the port', async () => {
  upstream = await startUpstream({ handler: () => {} });
  const pending = fetch(upstream.url);
  await upstream.waitForRequests(1);
  expect(upstream.openConnections).toBe(1);
  await Promise.all([upstream.close(), expect(pending).rejects.toThrow()]);
  await upstream.close();
  await expect(fetch(upstream.url)).rejects.toThrow();
});

test.each([
  ['the name it was issued for', 'api.test', true],
  ['the address it was issued for', '127.0.0.1', true],
  ['another name', 'other.test', false],
])('over https a client that trusts the authority asks for %s', async (_what, servername, trusted) => {
  const authority = createCertificateAuthority();
  upstream = await startUpstream({ tls: authority.issue(['api.test', '127.0.0.1', '::1', '2001:db8::1']) });
  const answered = new Promise<number | undefined>((resolve, reject) => {
    const request = httpsRequest(
      {
        port: upstream?.port,
        host: '127.0.0.1',
        ca: authority.cert,
        agent: false,
        headers: { host: servername },
        servername: servername === '127.0.0.1' ? '' : servername,
      },
      (response) => {
        response.resume();
        resolve(response.statusCode);
      },
    );
    request.on('error', reject);
    request.end();
  });
  if (trusted) expect(await answered).toBe(200);
  else await expect(answered).rejects.toMatchObject({ code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
});

test('a client that does not trust the authority is told so', async () => {
  upstream = await startUpstream({ tls: createCertificateAuthority().issue(['127.0.0.1']) });
  await expect(fetch(upstream.url)).rejects.toThrow();
  expect(upstream.requests).toHaveLength(0);
});
