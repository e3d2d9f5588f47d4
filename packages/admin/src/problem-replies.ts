import { DbError } from '@postern/db/ports';
import { type ErrorCode, PROBLEM_MEDIA_TYPE, Rejection, toProblem } from '@postern/schemas';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import type { AdminLogger } from './dependencies.ts';

export const REQUEST_ID_HEADER = 'postern-request-id';

/** Answers with the problem document for whatever was thrown. Faults of our own are logged and told without internals. */
export function createErrorReply(logger: AdminLogger) {
  return (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
    const rejection = toRejection(error);
    if (rejection.code === 'internal_error' || rejection.code === 'audit_unavailable') {
      logger.error({ requestId: request.id, ...describeFault(error) }, 'a request of the control plane failed');
    }
    sendProblem(rejection, request, reply);
  };
}

export function sendProblem(rejection: Rejection, request: FastifyRequest, reply: FastifyReply): void {
  const { retryAfterSeconds } = rejection.details;
  if (retryAfterSeconds !== undefined) reply.header('retry-after', String(retryAfterSeconds));
  if (rejection.code === 'unauthenticated') reply.header('www-authenticate', 'Bearer realm="postern-admin"');
  // As bytes: to a string the framework would add a charset, which this media type does not have.
  const body = Buffer.from(JSON.stringify(toProblem(rejection, request.id)));
  reply.code(rejection.status).type(PROBLEM_MEDIA_TYPE).send(body);
}

/** Faults that the framework finds before a handler runs. */
const FRAMEWORK_FAULTS: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported_media_type', 'The body must be application/json.'],
  FST_ERR_CTP_BODY_TOO_LARGE: ['request_too_large', 'The body is larger than this resource takes.'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['malformed_request', 'The body is empty but said to be JSON.'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['malformed_request', 'The body is not valid JSON.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['malformed_request', 'The body has not the length that Content-Length says.'],
  FST_ERR_BAD_URL: ['malformed_request', 'The path is not well-formed.'],
};

function toRejection(error: unknown): Rejection {
  if (error instanceof Rejection) return error;
  if (error instanceof DbError) return fromDbError(error);
  const { code, statusCode } = (error ?? {}) as Partial<FastifyError>;
  const fault = FRAMEWORK_FAULTS[code ?? ''];
  if (fault !== undefined) return new Rejection(fault[0], fault[1], { cause: error });
  if (error instanceof SyntaxError && statusCode === 400) {
    return new Rejection('malformed_request', 'The body is not valid JSON.');
  }
  return new Rejection('internal_error', 'The control plane failed. The log has the details under this request id.', {
    cause: error,
  });
}

function fromDbError(error: DbError): Rejection {
  switch (error.code) {
    case 'conflict':
      return new Rejection('conflict', 'There is one of that name already.', { cause: error });
    case 'not_found':
      return new Rejection('not_found', 'There is no such object.', { cause: error });
    case 'stale':
      return new Rejection('precondition_failed', 'The object has changed since it was read.', { cause: error });
    case 'unavailable':
      return new Rejection('audit_unavailable', 'The database does not answer; nothing was changed.', { cause: error });
    case 'invalid':
      return new Rejection(
        'internal_error',
        'The control plane failed. The log has the details under this request id.',
        {
          cause: error,
        },
      );
  }
}

/** What the log may say: class, message and stack of our own errors, never an input. */
function describeFault(error: unknown): object {
  if (!(error instanceof Error)) return { fault: 'a value that is no error was thrown' };
  const cause = error.cause instanceof Error ? error.cause.message : undefined;
  return { fault: error.message, stack: error.stack, ...(cause === undefined ? {} : { cause }) };
}
