import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { createAdminClient } from './admin-client.ts';
import { ApiProblem, ApiUnreachable } from './api-problem.ts';

/** A server of one test that answers as `listener` says. */
async function serve(listener: RequestListener): Promise<{ readonly url: string } & AsyncDisposable> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test('token, tenant, tag and body go where the control plane looks for them', async () => {
  const seen: Record<string, unknown>[] = [];
  await using server = await serve((request, response) => {
    let body = '';
    request
      .on('data', (chunk) => (body += chunk))
      .on('end', () => {
        seen.push({ method: request.method, url: request.url, headers: request.headers, body });
        response.setHeader('content-type', 'application/json').end('{}');
      });
  });
  const client = createAdminClient({ url: `${server.url}//`, token: 'psa_x', tenant: 'acme' });
  await client.agents.replace('a b', { trust: 'high' }, { ifMatch: '"3"' });
  await client.audit.events({ from: 5, agent: 'coder' });
  expect(seen).toMatchObject([
    {
      method: 'PUT',
      url: '/v1/agents/a%20b',
      headers: {
        authorization: 'Bearer psa_x',
        'postern-tenant': 'acme',
        'if-match': '"3"',
        'content-type': 'application/json',
      },
      body: '{"trust":"high"}',
    },
    { method: 'GET', url: '/v1/audit/events?from=5&agent=coder', body: '' },
  ]);
});

test.each([
  ['a problem document', '{"code":"forbidden","detail":"No.","status":403}', ApiProblem, 'No.'],
  ['another JSON object', '{"error":"no"}', ApiUnreachable, 'is no control plane (status 403)'],
  ['a page of HTML', '<html>', ApiUnreachable, 'is no control plane (status 403)'],
  ['nothing', '', ApiUnreachable, 'is no control plane (status 403)'],
])('%s with a status of refusal is told apart', async (_title, body, kind, message) => {
  await using server = await serve((_request, response) => {
    response.statusCode = 403;
    response.end(body);
  });
  const refusal = await createAdminClient({ url: server.url, token: 't' })
    .stats()
    .catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(kind);
  expect((refusal as Error).message).toContain(message);
});

test('a redirect is not followed: the token goes to no other place', async () => {
  const asked: string[] = [];
  await using elsewhere = await serve((request, response) => {
    asked.push(request.url ?? '');
    response.end('{}');
  });
  await using server = await serve((_request, response) => {
    response.writeHead(307, { location: `${elsewhere.url}/v1/stats` }).end();
  });
  await expect(createAdminClient({ url: server.url, token: 't' }).stats()).rejects.toBeInstanceOf(ApiUnreachable);
  expect(asked).toEqual([]);
});

test('an answer that does not come in time is none', async () => {
  await using server = await serve(() => {});
  const client = createAdminClient({ url: server.url, token: 't', timeoutMs: 50 });
  await expect(client.stats()).rejects.toBeInstanceOf(ApiUnreachable);
});

test('the message of a failure holds no token', async () => {
  const fetchFailing = () => Promise.reject(new TypeError('fetch failed'));
  const client = createAdminClient({ url: 'http://127.0.0.1:1', token: 'psa_secret', fetch: fetchFailing });
  const failure = (await client.stats().catch((error: unknown) => error)) as Error;
  expect(failure.message).toBe('The control plane at http://127.0.0.1:1 does not answer.');
  expect(String(failure.stack)).not.toContain('psa_secret');
});
