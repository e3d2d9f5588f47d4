import { Rejection } from '@postern/schemas';
import type { FastifyInstance } from 'fastify';
import { sendProblem } from './problem-replies.ts';

/** Answers requests that no route takes: 405 with `Allow` where the path has other methods, else 404. Call it before the routes. */
export function answerUnknownRoutes(server: FastifyInstance): void {
  const known = new Map<string, { readonly pattern: RegExp; readonly methods: Set<string> }>();

  server.addHook('onRoute', ({ url, method }) => {
    const path = known.get(url) ?? { pattern: patternOf(url), methods: new Set() };
    for (const name of [method].flat()) path.methods.add(name);
    known.set(url, path);
  });

  server.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?', 1)[0] ?? '';
    const allowed = [...known.values()]
      .filter(({ pattern }) => pattern.test(path))
      .flatMap(({ methods }) => [...methods]);
    if (allowed.length === 0)
      return sendProblem(new Rejection('not_found', 'There is no such resource.'), request, reply);
    reply.header('allow', [...new Set(allowed)].sort().join(', '));
    const detail = `The resource does not take ${request.method}.`;
    return sendProblem(new Rejection('method_not_allowed', detail), request, reply);
  });
}

/** `/agents/:id` takes one segment where a parameter stands; `/docs/static/*` anything. */
function patternOf(url: string): RegExp {
  const source = url
    .split('/')
    .map((step) => {
      if (step === '*') return '.*';
      return step.startsWith(':') ? '[^/]+' : step.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    })
    .join('/');
  return new RegExp(`^${source}$`);
}
