import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { buildConnector } from 'undici';
import { canonicalAddress } from './format-address.ts';
import { DEFAULT_PORTS, type Scheme } from './parse-target.ts';

/** An `AllowVerdict` with settings added fits. What is given of `scheme`, `host` and `port` binds the connector to it. */
export interface PinnedConnectorOptions {
  /** The judged address: an IP literal. Nothing else is ever dialled. */
  readonly address: string;
  readonly scheme?: Scheme | undefined;
  /** IPv6 with or without brackets. */
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  /** For TCP and TLS together; default 5,000 ms. */
  readonly connectTimeoutMs?: number | undefined;
  /** PEM certificates that replace the public roots. */
  readonly ca?: string | Buffer | (string | Buffer)[] | undefined;
  /** Name for SNI and the certificate check; default: the host. */
  readonly servername?: string | undefined;
  /** PEM certificate chain that this side shows to an upstream that asks for one, and the PEM private key to it. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export type PinnedConnectErrorCode =
  /** The time was over before TCP and TLS were up; undici's own code for it. */
  | 'UND_ERR_CONNECT_TIMEOUT'
  /** The socket is connected to another address than the judged one. */
  | 'ERR_PINNED_ADDRESS_MISMATCH'
  /** The client asked for another scheme, host or port than the judged one, or for a Unix socket. */
  | 'ERR_PINNED_TARGET_MISMATCH';

/**
 * A connector for undici's `connect` option that dials one judged address whatever the origin's name resolves to by now. The
 * name goes into SNI and is checked against the certificate; addresses have no SNI and are checked by their own entry. HTTP/1.1
 * is the only protocol offered, so no connection is ever shared between names. Name servers and proxy variables play no part.
 * TLS sessions are not resumed: each connection proves its certificate anew.
 *
 * Throws a `TypeError` when `address` is no IP address. A connect fails with an error whose `code` is a
 * `PinnedConnectErrorCode`, or with the system's or TLS's own.
 */
export function createPinnedConnector(options: PinnedConnectorOptions): buildConnector.connector {
  const address = canonicalAddress(options.address);
  if (address === undefined) throw new TypeError(`"${options.address}" is not an IP address`);
  const pinned = { ...options, address };
  return (request, callback) => {
    const mismatch = findMismatch(request, pinned);
    if (mismatch !== undefined) {
      process.nextTick(callback, pinnedError('ERR_PINNED_TARGET_MISMATCH', mismatch), null);
      return;
    }
    watch(openSocket(request, pinned), isTls(request) ? 'secureConnect' : 'connect', pinned, callback);
  };
}

function isTls(request: buildConnector.Options): boolean {
  return request.protocol === 'https:';
}

function openSocket(request: buildConnector.Options, options: PinnedConnectorOptions): Socket {
  const tcp = {
    host: options.address,
    port: portOf(request),
    autoSelectFamily: false,
    lookup: refuseLookup,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: 60_000,
  };
  if (!isTls(request)) return connectTcp(tcp);
  // undici derives `request.servername` from the Host header, which the judged name must not give way to.
  const name = options.servername ?? plainHost(request.hostname);
  return connectTls({
    ...tcp,
    // RFC 6066 section 3: addresses are not permitted in SNI. The certificate is then checked for `host`.
    ...(isIP(name) === 0 ? { servername: name } : { host: options.address }),
    ca: options.ca,
    ...(options.key === undefined ? {} : { cert: options.cert, key: options.key }),
    ALPNProtocols: ['http/1.1'],
    minVersion: 'TLSv1.2',
    // Said aloud, so that NODE_TLS_REJECT_UNAUTHORIZED has no say.
    rejectUnauthorized: true,
  });
}

/** Calls back once: with the socket when it is up and leads to the judged address, else with the reason. */
function watch(
  socket: Socket,
  ready: 'connect' | 'secureConnect',
  options: PinnedConnectorOptions,
  callback: buildConnector.Callback,
): void {
  const { address, connectTimeoutMs = 5_000 } = options;
  let isSettled = false;
  const timer = setTimeout(() => {
    socket.destroy(pinnedError('UND_ERR_CONNECT_TIMEOUT', `no connection to ${address} within ${connectTimeoutMs} ms`));
  }, connectTimeoutMs);

  function settle(error: Error | null): void {
    if (isSettled) return;
    isSettled = true;
    clearTimeout(timer);
    if (error === null) callback(null, socket);
    else callback(error, null);
  }

  // With TLS this is before the handshake: a stranger learns nothing but that somebody called.
  socket.once('connect', () => {
    const remote = canonicalAddress(socket.remoteAddress ?? '');
    if (remote === address) return;
    socket.destroy(
      pinnedError('ERR_PINNED_ADDRESS_MISMATCH', `connected to ${remote ?? 'nothing'} instead of ${address}`),
    );
  });
  socket.once(ready, () => {
    if (!socket.destroyed) settle(null);
  });
  socket.on('error', settle);
  socket.once('close', () =>
    settle(Object.assign(new Error(`the connection to ${address} closed`), { code: 'ECONNRESET' })),
  );
}

function findMismatch(request: buildConnector.Options, options: PinnedConnectorOptions): string | undefined {
  const { scheme, host, port } = options;
  if (request.socketPath || request.httpSocket) return 'a pinned connector opens its own TCP connection';
  if (request.protocol !== 'http:' && request.protocol !== 'https:') return `${request.protocol} is not http or https`;
  if (scheme !== undefined && request.protocol !== `${scheme}:`) return `${request.protocol} was not judged`;
  const asked = plainHost(request.hostname);
  if (host !== undefined && asked !== plainHost(host)) return `${asked} was not judged`;
  if (isIP(asked) !== 0 && asked !== options.address) return `${asked} is not the judged address`;
  if (port !== undefined && portOf(request) !== port) return `port ${portOf(request)} was not judged`;
  return undefined;
}

function portOf(request: buildConnector.Options): number {
  return request.port === '' ? DEFAULT_PORTS[isTls(request) ? 'https' : 'http'] : Number(request.port);
}

function plainHost(host: string): string {
  const bare = host.startsWith('[') && host.endsWith(']') ? host.slice(1, -1) : host;
  return canonicalAddress(bare) ?? bare.toLowerCase();
}

function refuseLookup(hostname: string): never {
  throw new Error(`a pinned connector never resolves a name, but was asked for ${hostname}`);
}

function pinnedError(code: PinnedConnectErrorCode, message: string): Error {
  return Object.assign(new Error(message), { code });
}
