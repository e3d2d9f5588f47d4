import { Rejection } from '@postern/schemas';
import { z } from 'zod';
import { mayDo } from '../actor.ts';
import { isStillAdmitted } from '../authenticate.ts';
import type { AdminDependencies } from '../dependencies.ts';
import { openEventStream } from '../events/event-stream.ts';
import type { AdminScope } from './admin-scope.ts';

/** What an approver is told of, who reads nothing else. */
const OF_APPROVALS = /^(?:approval|grant)\./;

export function eventRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  const { events } = dependencies;
  // Watches would hold up the end of the server.
  scope.addHook('preClose', async () => events.close());

  scope.get(
    '/events',
    {
      config: { permission: 'approvals' },
      // The framework would answer HEAD by reading the stream to its end, which never comes.
      exposeHeadRoute: false,
      schema: {
        tags: ['events'],
        summary: 'Watch what happens in the tenant: server-sent events, as they come',
        response: { 200: z.unknown().describe('text/event-stream; `Last-Event-ID` goes on after that event') },
      },
    },
    async (request, reply) => {
      const { actor } = request;
      const given = request.headers['last-event-id'];
      const lastEventId = typeof given === 'string' && given !== '' ? given : undefined;
      const seesAll = mayDo(actor, 'read');
      const stream = openEventStream(events, {
        tenant: actor.tenant,
        lastEventId,
        accepts: ({ type }) => seesAll || OF_APPROVALS.test(type),
        isAdmitted: () => isStillAdmitted(dependencies, actor),
        ...(dependencies.heartbeatMs === undefined ? {} : { heartbeatMs: dependencies.heartbeatMs }),
      });
      if (stream === undefined) throw new Rejection('overloaded', 'As many watch as may; try again later.');
      // For a reverse proxy that would gather events (nginx).
      reply.header('x-accel-buffering', 'no');
      return reply.type('text/event-stream').send(stream);
    },
  );
}
