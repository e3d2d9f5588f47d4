import { Rejection } from '@postern/schemas';
import type { FastifyReply, FastifyRequest } from 'fastify';

/** A strong entity tag (RFC 9110 section 8.8.3) of one version of an object. */
export function entityTag(version: string | number): string {
  return `"${version}"`;
}

export function sendTagged<T>(reply: FastifyReply, version: string | number, view: T): T {
  reply.header('etag', entityTag(version));
  return view;
}

/** Refuses with `precondition_failed` when `If-Match` names none of the object's present tag (RFC 9110 section 13.1.1). */
export function checkIfMatch(request: FastifyRequest, version: string | number): void {
  const header = request.headers['if-match'];
  if (header === undefined) return;
  const tags = header.split(',').map((tag) => tag.trim());
  // Strong comparison: a weak tag matches nothing.
  if (tags.includes('*') || tags.includes(entityTag(version))) return;
  throw new Rejection('precondition_failed', 'The object has changed since it was read; read it again.');
}
