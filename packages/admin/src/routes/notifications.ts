import {
  type DbContext,
  DbError,
  type NotificationEndpointRecord,
  OUTBOX_STATES,
  type OutboxMessage,
} from '@postern/db/ports';
import { Rejection } from '@postern/schemas';
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import { subjectOf } from '../config/notifications-section.ts';
import type { AdminDependencies } from '../dependencies.ts';
import {
  messageDetailView,
  messageView,
  notificationView,
  viewMessage,
  viewNotification,
} from '../notification-views.ts';
import { pageOf, pageQuery, readPage } from '../paging.ts';
import { type AdminScope, originOf } from './admin-scope.ts';

const tags = ['notifications'];
const params = z.object({ id: z.string().min(1).max(128) });

/** Endpoints are written by configuration documents; here one sees how they fare, and helps. */
export function notificationRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  endpointRoutes(scope, dependencies);
  messageRoutes(scope, dependencies);
  writeRoutes(scope, dependencies);
}

function endpointRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  const { notificationEndpoints, outbox } = dependencies.repositories;

  scope.get(
    '/notifications',
    {
      config: { permission: 'read' },
      schema: {
        tags,
        summary: 'List the endpoints that are told of events, and how they fare',
        response: { 200: z.object({ items: z.array(notificationView) }) },
      },
    },
    async ({ actor: { tenant } }) => {
      const [endpoints, disabled] = await Promise.all([
        notificationEndpoints.listByTenant(tenant),
        outbox.listDisabledEndpoints(tenant),
      ]);
      const disabledAt = new Map(disabled.map((each) => [each.endpoint, each.disabledAt]));
      return { items: endpoints.map((endpoint) => viewNotification(endpoint, disabledAt.get(endpoint.id))) };
    },
  );

  scope.get(
    '/notifications/:id',
    {
      config: { permission: 'read' },
      schema: { tags, summary: 'One endpoint', params, response: { 200: notificationView } },
    },
    ({ actor, params: { id } }) => readNotification(dependencies, actor.tenant, id),
  );
}

function messageRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  const { notificationEndpoints, outbox } = dependencies.repositories;

  scope.get(
    '/notifications/messages',
    {
      config: { permission: 'read' },
      schema: {
        tags,
        summary: 'List messages, newest first; finished ones are kept for a week',
        querystring: pageQuery.extend({ state: z.enum(OUTBOX_STATES).optional() }),
        response: { 200: pageOf(messageView) },
      },
    },
    async ({ actor: { tenant }, query: { state, ...page } }) => {
      const endpoints = await notificationEndpoints.listByTenant(tenant);
      const urls = new Map(endpoints.map(({ id, spec }) => [id, spec.url]));
      const filter = state === undefined ? {} : { state };
      return readPage(
        () => outbox.list(tenant, filter, page),
        (message) => viewMessage(message, urls.get(message.endpoint)),
      );
    },
  );

  scope.get(
    '/notifications/messages/:id',
    {
      config: { permission: 'read' },
      schema: { tags, summary: 'One message, with its body', params, response: { 200: messageDetailView } },
    },
    async ({ actor: { tenant }, params: { id } }) => {
      const message = await findMessage(dependencies, tenant, id);
      const endpoint = await notificationEndpoints.getById(tenant, message.endpoint);
      return { ...viewMessage(message, endpoint?.spec.url), body: message.body };
    },
  );
}

function writeRoutes(scope: AdminScope, dependencies: AdminDependencies): void {
  const { notificationEndpoints, outbox } = dependencies.repositories;

  scope.post(
    '/notifications/:id/enable',
    {
      config: { permission: 'write' },
      schema: {
        tags,
        summary: 'Let an endpoint be sent to again; what was not delivered meanwhile can be replayed',
        params,
        response: { 200: notificationView },
      },
    },
    async (request) => {
      const { tenant } = request.actor;
      const { id } = request.params;
      await recorded(dependencies, request, async (context) => {
        const endpoint = await findEndpoint(dependencies, tenant, id, context);
        const isDone = await outbox.enableEndpoint(tenant, id, context);
        return isDone ? subjectOf(endpoint.spec) : undefined;
      });
      return readNotification(dependencies, tenant, id);
    },
  );

  scope.post(
    '/notifications/messages/:id/replay',
    {
      config: { permission: 'write' },
      schema: {
        tags,
        summary: 'Send a message once more, at once, with its tries counted anew',
        params,
        response: { 200: messageView },
      },
    },
    async (request) => {
      const { tenant } = request.actor;
      const { id } = request.params;
      await recorded(dependencies, request, async (context) => {
        if (await replay(dependencies, tenant, id, context)) return `message:${id}`;
        const { state } = await findMessage(dependencies, tenant, id);
        const why = state === 'pending' ? 'The message is on its way.' : 'Its endpoint is disabled, or was removed.';
        throw new Rejection('conflict', why);
      });
      const message = await findMessage(dependencies, tenant, id);
      const endpoint = await notificationEndpoints.getById(tenant, message.endpoint);
      return viewMessage(message, endpoint?.spec.url);
    },
  );
}

/** In one transaction with its audit entry; `change` returns what it was about, undefined: nothing changed. It is no configuration. */
async function recorded(
  { repositories, runInTransaction, now, onOutbox }: AdminDependencies,
  request: FastifyRequest,
  change: (context: DbContext) => Promise<string | undefined>,
): Promise<void> {
  const { tenant, actor, requestId } = originOf(request);
  await runInTransaction(async (context) => {
    const subject = await change(context);
    if (subject === undefined) return;
    const about = { at: now(), tenant, type: 'admin.updated', subject, actor } as const;
    await repositories.audit.append(requestId === undefined ? about : { ...about, requestId }, context);
  });
  onOutbox?.();
}

async function replay(
  { repositories: { outbox }, now }: AdminDependencies,
  tenant: string,
  id: string,
  context: DbContext,
): Promise<boolean> {
  try {
    return await outbox.replay(tenant, id, now(), context);
  } catch (cause) {
    if (cause instanceof DbError && cause.code === 'not_found') throw noMessage();
    throw cause;
  }
}

async function readNotification({ repositories }: AdminDependencies, tenant: string, id: string) {
  const [endpoint, disabled] = await Promise.all([
    findEndpoint({ repositories }, tenant, id),
    repositories.outbox.listDisabledEndpoints(tenant),
  ]);
  return viewNotification(endpoint, disabled.find((each) => each.endpoint === id)?.disabledAt);
}

async function findEndpoint(
  { repositories }: Pick<AdminDependencies, 'repositories'>,
  tenant: string,
  id: string,
  context: DbContext = {},
): Promise<NotificationEndpointRecord> {
  const endpoint = await repositories.notificationEndpoints.getById(tenant, id, context);
  if (endpoint === undefined) throw new Rejection('not_found', 'There is no such endpoint.');
  return endpoint;
}

async function findMessage({ repositories }: AdminDependencies, tenant: string, id: string): Promise<OutboxMessage> {
  const message = await repositories.outbox.getById(tenant, id);
  if (message === undefined) throw noMessage();
  return message;
}

function noMessage(): Rejection {
  return new Rejection('not_found', 'There is no such message.');
}
