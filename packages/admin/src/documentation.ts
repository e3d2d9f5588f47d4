import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { jsonSchemaTransform } from 'fastify-type-provider-zod';

/** The browsable page needs its own scripts and styles and nothing else, from nowhere else. */
const DOCS_POLICY = {
  'default-src': "'none'",
  'script-src': "'self'",
  'style-src': ["'self'", "'unsafe-inline'"],
  'img-src': ["'self'", 'data:'],
  'connect-src': "'self'",
  'base-uri': "'none'",
  'form-action': "'none'",
  'frame-ancestors': "'none'",
};

/** Serves `/openapi.json` and `/docs`, made from the schemas of all routes registered after this. The document is made when first asked for. */
export function serveDocumentation(server: FastifyInstance, version: string): void {
  server.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Postern control plane',
        version,
        description: 'Errors are RFC 9457 problem documents. The tenant is named by the header Postern-Tenant.',
      },
      components: { securitySchemes: { adminToken: { type: 'http', scheme: 'bearer' } } },
      security: [{ adminToken: [] }],
    },
    transform: jsonSchemaTransform,
  });
  server.register(swaggerUi, { routePrefix: '/docs', staticCSP: DOCS_POLICY });
  server.register((scope, _options, done) => {
    scope.get('/openapi.json', { schema: { hide: true } }, async (_request, reply) => {
      return reply.type('application/json').send(JSON.stringify(server.swagger()));
    });
    done();
  });
}
