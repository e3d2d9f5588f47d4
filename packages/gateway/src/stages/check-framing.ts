import type { IncomingMessage } from 'node:http';
import { Rejection } from '@postern/schemas';
import type { ClientExchange } from '../client-exchange.ts';

/**
 * What Node's parser lets pass and an intermediary must not: other versions of HTTP, transfer codings that nobody takes off, and
 * expectations. Where the framing itself is in doubt the connection ends with the refusal, since nobody can tell where the next
 * request begins.
 *
 * @throws Rejection `malformed_request`, `upgrade_unsupported`.
 */
export function checkFraming({ request, response }: ClientExchange): void {
  const { httpVersionMajor, httpVersionMinor, headers } = request;
  if (httpVersionMajor !== 1) {
    response.shouldKeepAlive = false;
    throw new Rejection('malformed_request', 'Only HTTP/1.1 and HTTP/1.0 are spoken here.');
  }
  const coding = headers['transfer-encoding'];
  if (coding !== undefined) checkCoding(coding, { request, response });
  if (httpVersionMinor === 0) return;
  const { expect, upgrade } = headers;
  if (expect !== undefined && !expect.split(',').every(isContinue))
    throw new Rejection('malformed_request', 'The only expectation known is 100-continue.');
  if (upgrade !== undefined && !isIgnorableUpgrade(upgrade))
    throw new Rejection('upgrade_unsupported', 'Protocol upgrades, WebSocket among them, are not supported.');
}

function isContinue(expectation: string): boolean {
  return expectation.trim().toLowerCase() === '100-continue';
}

/** RFC 9112 section 6.1: HTTP/1.0 has no transfer codings, and of them only `chunked`, once, is understood here. */
function checkCoding(coding: string, { request, response }: Pick<ClientExchange, 'request' | 'response'>): void {
  if (request.httpVersionMinor !== 0 && coding.toLowerCase() === 'chunked') return;
  response.shouldKeepAlive = false;
  throw new Rejection('malformed_request', 'The only transfer coding understood is chunked, in HTTP/1.1.');
}

/** RFC 9110 section 7.8: a server may ignore `Upgrade: h2c`, which some clients always offer. */
function isIgnorableUpgrade(upgrade: string): boolean {
  return upgrade.toLowerCase() === 'h2c';
}

/** Specification section 4: a head has 32 KiB. Node counts some of it; this is the whole, as it is without needless white space. */
export const HEAD_BYTES_MAX = 32_768;

/** Bytes of a head besides its method, target, names and values: two spaces, `HTTP/1.1`, and the empty line. */
const HEAD_FRAME_BYTES = 14;
/** Bytes of a field besides its name and value: `: ` and the line's end. */
export const FIELD_FRAME_BYTES = 4;

export function requestLineBytes(request: IncomingMessage): number {
  return (request.method as string).length + (request.url as string).length + HEAD_FRAME_BYTES;
}
