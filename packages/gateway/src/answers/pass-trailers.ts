import type { ServerResponse } from 'node:http';

/** Whether the client has said that it takes trailers (RFC 9110 section 10.1.4) and the framing has a place for them. */
export function takesTrailers({ req, chunkedEncoding }: ServerResponse): boolean {
  return chunkedEncoding && /(?:^|,)\s*trailers\s*(?:$|[,;])/i.test(String(req.headers.te ?? ''));
}

/** Adds fields to the end of a chunked answer, but for those that are no trailer's to say. `fields`: flat pairs that may be passed on. */
export function passTrailers(response: ServerResponse, fields: readonly string[]): void {
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const name = fields[i] as string;
    if (!HEADS_OWN.test(name)) pairs.push([name, fields[i + 1] as string]);
  }
  if (pairs.length > 0) response.addTrailers(pairs);
}

/** RFC 9110 section 6.5.1: framing, routing, authentication, what a body is and how it is read or kept. */
const HEADS_OWN =
  /^(?:age|allow|authorization|cache-control|content-.*|date|expires|host|location|link|max-forwards|retry-after|vary|warning|www-authenticate|.*-request-id)$/i;
