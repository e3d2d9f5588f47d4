/** `@fastify/http-proxy` as its documentation shows it, plus the one rewrite that injects the credential. */
import httpProxy from '@fastify/http-proxy';
import fastify from 'fastify';

const authorization = `Bearer ${process.env['UPSTREAM_SECRET']}`;
const server = fastify();
await server.register(httpProxy, {
  upstream: `http://127.0.0.1:${process.env['UPSTREAM_PORT']}`,
  replyOptions: { rewriteRequestHeaders: (_request, headers) => ({ ...headers, authorization }) },
});
const address = await server.listen({ port: 0, host: '127.0.0.1' });
console.log(`ready port=${new URL(address).port}`);
