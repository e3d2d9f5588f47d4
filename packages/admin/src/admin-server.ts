import { randomBytes } from 'node:crypto';
import { Rejection } from '@postern/schemas';
import fastify, { type FastifyInstance } from 'fastify';
import { serializerCompiler } from 'fastify-type-provider-zod';
import { mayDo } from './actor.ts';
import { createAuthenticate } from './authenticate.ts';
import { createCheckHost } from './check-host.ts';
import { createControlListener } from './control-listener.ts';
import type { AdminDependencies, AdminLogger } from './dependencies.ts';
import { serveDocumentation } from './documentation.ts';
import { createErrorReply, REQUEST_ID_HEADER } from './problem-replies.ts';
import type { AdminScope } from './routes/admin-scope.ts';
import { adminRoutes } from './routes/admins.ts';
import { agentKeyRoutes } from './routes/agent-keys.ts';
import { agentRoutes } from './routes/agents.ts';
import { applyRoutes } from './routes/apply.ts';
import { approvalRoutes } from './routes/approvals.ts';
import { auditEventRoutes } from './routes/audit-events.ts';
import { claimRoutes } from './routes/claims.ts';
import { eventRoutes } from './routes/events.ts';
import { exportRoutes } from './routes/export.ts';
import { grantRoutes } from './routes/grants.ts';
import { integrationRoutes } from './routes/integrations.ts';
import { nodeRoutes } from './routes/nodes.ts';
import { notificationRoutes } from './routes/notifications.ts';
import { operationRoutes } from './routes/operations.ts';
import { policyRoutes } from './routes/policies.ts';
import { policyTrialRoutes } from './routes/policy-trials.ts';
import { ruleRoutes } from './routes/rules.ts';
import { secretRoutes } from './routes/secrets.ts';
import { statsRoutes } from './routes/stats.ts';
import { templateRoutes } from './routes/templates.ts';
import { tenantLimitRoutes } from './routes/tenant-limits.ts';
import { tenantRoutes } from './routes/tenants.ts';
import { answerUnknownRoutes } from './unknown-routes.ts';
import { validatorCompiler } from './validator.ts';

const BODY_BYTES_MAX = 1024 * 1024;

/** Each resource of `/v1`, one file each. */
const RESOURCES: readonly ((scope: AdminScope, dependencies: AdminDependencies) => void)[] = [
  tenantRoutes,
  tenantLimitRoutes,
  adminRoutes,
  agentRoutes,
  agentKeyRoutes,
  integrationRoutes,
  templateRoutes,
  secretRoutes,
  ruleRoutes,
  policyTrialRoutes,
  policyRoutes,
  approvalRoutes,
  grantRoutes,
  claimRoutes,
  notificationRoutes,
  auditEventRoutes,
  applyRoutes,
  exportRoutes,
  statsRoutes,
  nodeRoutes,
  eventRoutes,
];

/** The control plane (specification section 7). It does not listen; whoever composes the process does that, and closes it. */
export function createAdminServer(dependencies: AdminDependencies): FastifyInstance {
  const createRequestId = dependencies.createRequestId ?? (() => `req_${randomBytes(16).toString('hex')}`);
  const server = fastify({
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    genReqId: createRequestId,
    trustProxy: dependencies.trustedProxies === undefined ? false : [...dependencies.trustedProxies],
    serverFactory: (handler) => createControlListener(handler, { newRequestId: createRequestId }),
  });
  server.setValidatorCompiler(validatorCompiler);
  server.setSerializerCompiler(serializerCompiler);
  server.setErrorHandler(createErrorReply(dependencies.logger));
  const checkHost = createCheckHost(dependencies.publicUrl);
  server.addHook('onRequest', async (request, reply) => {
    reply.headers({
      [REQUEST_ID_HEADER]: request.id,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
    checkHost(request);
  });
  logRequests(server, dependencies.logger);
  answerUnknownRoutes(server);
  serveDocumentation(server, dependencies.version ?? '0');
  server.register((scope: AdminScope, _options, done) => {
    operationRoutes(scope, dependencies);
    done();
  });
  server.register(
    (scope: AdminScope, _options, done) => {
      admitAdministrators(scope, dependencies);
      for (const registerRoutes of RESOURCES) registerRoutes(scope, dependencies);
      done();
    },
    { prefix: '/v1' },
  );
  return server;
}

/** No route of the scope is reached without a token whose role has the permission that the route names. */
function admitAdministrators(scope: AdminScope, dependencies: AdminDependencies): void {
  const authenticate = createAuthenticate(dependencies);
  scope.addHook('onRequest', async (request) => {
    request.actor = await authenticate(request);
    const { permission } = request.routeOptions.config;
    if (permission !== undefined && mayDo(request.actor, permission)) return;
    throw new Rejection('forbidden', `The role ${request.actor.role} does not permit this.`);
  });
}

/** One line a request, with the route's pattern instead of the path: names and ids stay out of the log. */
function logRequests(server: FastifyInstance, logger: AdminLogger): void {
  server.addHook('onResponse', async (request, reply) => {
    const { actor, id, method, routeOptions } = request;
    const who = actor === undefined ? {} : { actor: actor.name, tenant: actor.tenant };
    const milliseconds = Math.round(reply.elapsedTime);
    const members = {
      requestId: id,
      method,
      route: routeOptions.url ?? '',
      status: reply.statusCode,
      ...who,
      milliseconds,
    };
    logger.info(members, 'control plane request');
  });
}
