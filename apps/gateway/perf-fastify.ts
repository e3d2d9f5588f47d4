import proxy from '@fastify/http-proxy';
import Fastify from 'fastify';

const f = Fastify();
await f.register(proxy, {
  upstream: `http://127.0.0.1:${process.env['UP']}`,
  replyOptions: {
    rewriteRequestHeaders: (_r: unknown, h: Record<string, unknown>) => ({
      ...h,
      authorization: 'Bearer upstream-secret',
    }),
  },
} as never);
await f.listen({ port: Number(process.env['PORT']), host: '127.0.0.1' });
