import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import { PROBLEM_MEDIA_TYPE } from '@postern/schemas';
import type { FastifyInstance, FastifySchema } from 'fastify';
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

const text = { type: 'string' } as const;
const whole = { type: 'integer' } as const;
const issue = {
  type: 'object' as const,
  required: ['field', 'message'],
  properties: { field: text, message: text, line: whole },
};
const PROBLEM = {
  type: 'object' as const,
  description: 'RFC 9457 problem document; docs/errors.md lists the codes',
  required: ['type', 'title', 'status', 'detail', 'code', 'requestId', 'retryable'],
  properties: {
    type: text,
    title: text,
    status: whole,
    detail: text,
    code: text,
    requestId: text,
    retryable: { type: 'boolean' as const },
    retryAfterSeconds: whole,
    issues: { type: 'array' as const, items: issue },
  },
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
      components: {
        securitySchemes: { adminToken: { type: 'http', scheme: 'bearer' } },
        schemas: { Problem: PROBLEM },
      },
      security: [{ adminToken: [] }],
    },
    transform: (route) => {
      const { schema, url } = jsonSchemaTransform(route);
      return { schema: withProblem(schema, url), url };
    },
  });
  server.register(swaggerUi, { routePrefix: '/docs', staticCSP: DOCS_POLICY });
  server.register((scope, _options, done) => {
    scope.get('/openapi.json', { schema: { hide: true } }, async (_request, reply) => {
      return reply.type('application/json').send(JSON.stringify(server.swagger()));
    });
    done();
  });
}

/** Every operation may answer a problem; those outside `/v1` need no token. */
function withProblem(schema: FastifySchema, url: string): FastifySchema {
  const answers = typeof schema?.response === 'object' ? schema.response : {};
  const problem = {
    description: 'Refused or failed',
    content: { [PROBLEM_MEDIA_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } },
  };
  const open = url.startsWith('/v1/') ? {} : { security: [] };
  return { ...schema, ...open, response: { ...answers, default: problem } };
}
