import { createHash } from 'node:crypto';
import { upstreamKey } from '@postern/approvals';
import type { AppliedCredential, MintingCredential, Signer } from '@postern/credentials';
import { filterRequestHeaders, type OutgoingRequest, type PinnedTarget } from '@postern/proxy-runtime';
import { Rejection } from '@postern/schemas';
import type { CachedSecretReference, Secret } from '@postern/vault';
import type { RequestBody } from '../body/request-body.ts';
import { outgoingTraceparent } from '../call-trace.ts';
import type { CompiledIntegration, TenantSecret } from '../directory/compiled-tenant.ts';
import type { Gateway } from '../gateway.ts';
import {
  type OpenableCredential,
  type OpenedCredential,
  openCredential,
  withCertificate,
} from '../opened-credential.ts';
import type { HeldToken } from '../tokens/held-token.ts';
import { readTraceparent } from '../trace-context.ts';
import type { Intent } from './record-intent.ts';
import type { ResolvedCall } from './resolve.ts';

/** A request ready to be sent, with the credential in it: never logged, never returned. */
export interface CredentialedCall {
  readonly intent: Intent;
  readonly request: OutgoingRequest;
  /** What was added to the request: an answer must not pass it back. undefined for an integration without a credential. */
  readonly applied: AppliedCredential | undefined;
  /** Where it goes: the judged target, with the client certificate to show there. */
  readonly target: PinnedTarget;
  /** The minted token in it; wants to be told of the answer's status. */
  readonly token: HeldToken | undefined;
}

/** Stage 10. Demands a recorded intent: no secret is opened for a call that left no trace. */
export function injectCredential(gateway: Gateway, intent: Intent): CredentialedCall | Promise<CredentialedCall> {
  const { call } = intent.guarded.allowed;
  const { credential } = call.integration;
  if (credential.secretName === undefined) return credentialed(gateway, intent, undefined);
  const { reference } = entitledSecret(call, credential.secretName);
  if (credential.shape === 'minting') return injectToken(gateway, intent, credential, reference);
  const secret = gateway.secrets.get(reference);
  if (secret instanceof Promise) {
    return secret.then(
      (opened) => injectOpened(gateway, intent, openedCredential(call.integration, credential, opened)),
      (error: unknown) => {
        throw unavailable(error);
      },
    );
  }
  return injectOpened(gateway, intent, openedCredential(call.integration, credential, secret));
}

function injectToken(
  gateway: Gateway,
  intent: Intent,
  credential: MintingCredential,
  secret: CachedSecretReference,
): CredentialedCall | Promise<CredentialedCall> {
  const { call } = intent.guarded.allowed;
  const { clientSecretName } = credential.source;
  const clientSecret = clientSecretName === undefined ? undefined : entitledSecret(call, clientSecretName).reference;
  const token = gateway.tokens.get({ integration: call.integration, credential, secret, clientSecret });
  return token instanceof Promise
    ? token.then((late) => credentialed(gateway, intent, late.applied, { token: late }))
    : credentialed(gateway, intent, token.applied, { token });
}

function injectOpened(gateway: Gateway, intent: Intent, opened: OpenedCredential): CredentialedCall {
  switch (opened.shape) {
    case 'static':
      return credentialed(gateway, intent, opened.applied);
    case 'signing':
      return sign(gateway, intent, opened.signer);
    case 'tls': {
      const { target } = intent.guarded;
      if (target.scheme !== 'https') throw unavailable(new Error('a client certificate needs https'));
      return credentialed(gateway, intent, undefined, { target: withCertificate(target, opened) });
    }
  }
}

interface CredentialExtras {
  readonly target?: PinnedTarget;
  readonly token?: HeldToken;
}

function credentialed(
  gateway: Gateway,
  intent: Intent,
  applied: AppliedCredential | undefined,
  extras?: CredentialExtras,
): CredentialedCall {
  const request = outgoing(gateway, intent.guarded.allowed.call);
  return {
    intent,
    request: applied === undefined ? request : withApplied(request, applied, intent),
    applied,
    target: extras?.target ?? intent.guarded.target,
    token: extras?.token,
  };
}

function sign(gateway: Gateway, intent: Intent, signer: Signer): CredentialedCall {
  const { call } = intent.guarded.allowed;
  const request = outgoing(gateway, call);
  const applied = signer.sign({
    method: request.method,
    pathAndQuery: request.pathAndQuery,
    headers: request.headers,
    callerHeaders: call.rawHeaders,
    bodySha256: () => bodySha256(call.body),
    now: gateway.now(),
  });
  const { target } = intent.guarded;
  return { intent, request: withApplied(request, applied, intent), applied, target, token: undefined };
}

/** The same request with what the credential adds; its headers are extended in place, for it belongs to nobody else yet. */
function withApplied(request: OutgoingRequest, applied: AppliedCredential, intent: Intent): OutgoingRequest {
  for (const [name, value] of applied.headers) request.headers.push(name, value);
  if (applied.query === undefined) return request;
  const mark = intent.guarded.allowed.call.target.hasQuery ? '&' : '?';
  return { ...request, pathAndQuery: request.pathAndQuery + mark + applied.query };
}

function bodySha256(body: RequestBody): string | undefined {
  switch (body.kind) {
    case 'none':
      return EMPTY_SHA256;
    case 'bytes':
      return createHash('sha256').update(body.bytes).digest('hex');
    case 'spooled':
      return body.spool.seal().slice('sha-256:'.length);
    case 'stream':
      return undefined;
  }
}

const EMPTY_SHA256 = createHash('sha256').digest('hex');

/** A secret is opened only for an agent whose environment both the secret and the integration list. */
function entitledSecret(call: ResolvedCall, secretName: string): TenantSecret {
  const secret = call.caller.tenant.secrets.get(secretName);
  const obstacle = secretObstacle(call, secretName);
  if (secret === undefined || obstacle !== undefined) throw unavailable(new Error(obstacle));
  return secret;
}

/** Why the secret is not opened for the call. */
function secretObstacle({ caller, integration, target }: ResolvedCall, secretName: string): string | undefined {
  const secret = caller.tenant.secrets.get(secretName);
  if (secret === undefined) return `secret ${secretName} does not exist`;
  const { environments } = secret.record;
  if (environments !== undefined && !environments.includes(caller.agent.environment ?? '')) {
    return `secret ${secretName} is not for the environment of agent ${caller.agent.name}`;
  }
  if (target.scheme === 'http' && !integration.spec.network.unsafeAllowCleartextCredentials) {
    return 'a credential is never sent over cleartext http';
  }
  return undefined;
}

/** Why the credential would not be had for the call, as far as configuration tells; nothing is opened. */
export function credentialObstacle(call: ResolvedCall): string | undefined {
  const { credential } = call.integration;
  const { clientSecretName } = credential.shape === 'minting' ? credential.source : {};
  for (const name of [credential.secretName, clientSecretName]) {
    const obstacle = name === undefined ? undefined : secretObstacle(call, name);
    if (obstacle !== undefined) return obstacle;
  }
  return undefined;
}

function unavailable(cause: unknown): Rejection {
  return new Rejection(
    'credential_unavailable',
    'The credential of the integration is not available, so the call was not sent.',
    { cause },
  );
}

function outgoing(gateway: Gateway, call: ResolvedCall): OutgoingRequest {
  const { headerPolicy } = call.integration;
  const { event, rawHeaders: requestHeaders } = call.caller.request;
  const given = readTraceparent(call.rawHeaders);
  const headers = filterRequestHeaders(
    call.rawHeaders,
    headerPolicy,
    given === undefined ? WRITTEN_IN_A_NEW_TRACE : GATEWAY_WRITES,
  );
  // RFC 9110 section 7.2: Host comes first.
  headers.unshift('host', hostField(call));
  headers.push('x-request-id', event.requestId, 'via', `${receivedVersion(call)} ${gateway.viaName}`);
  // A call in a document may name a trace of its own; else it is in that of its request.
  let trace = given;
  if (call.rawHeaders !== requestHeaders) {
    if (given === undefined) trace = readTraceparent(requestHeaders);
    else if (event.trace !== undefined) gateway.tracing?.move(event.trace, given);
  }
  headers.push('traceparent', outgoingTraceparent(event, trace));
  const { upstreamHeader } = call.integration.spec.idempotency;
  if (upstreamHeader !== null && call.claim !== undefined) {
    headers.push(upstreamHeader.toLowerCase(), upstreamKey(gateway.upstreamKeyKey, call.claim.scope));
  }
  return {
    method: call.method,
    pathAndQuery: call.target.pathAndQuery,
    headers,
    body: sentBody(call.body),
    bodyBytes: sentLength(call.body),
  };
}

function openedCredential(
  { opened: known }: CompiledIntegration,
  credential: OpenableCredential,
  secret: Secret,
): OpenedCredential {
  let opened = known.get(secret);
  if (opened === undefined) {
    try {
      opened = openCredential(credential, secret.reveal());
    } catch (error) {
      throw error instanceof Rejection ? error : unavailable(error);
    }
    known.set(secret, opened);
  }
  return opened;
}

/** RFC 9110 section 7.6.3: `Via` tells the version that the caller spoke. */
function receivedVersion(call: ResolvedCall): string {
  return call.caller.request.exchange.request.httpVersionMinor === 0 ? '1.0' : '1.1';
}

/** Written anew for every call, so the caller's own are taken off. */
const GATEWAY_WRITES = ['x-request-id', 'traceparent'];
/** The caller's `tracestate` is of the trace that its `traceparent` names, and of no other. */
const WRITTEN_IN_A_NEW_TRACE = [...GATEWAY_WRITES, 'tracestate'];

function hostField(call: ResolvedCall): string {
  const { host, port, scheme } = call.target;
  return port === (scheme === 'https' ? 443 : 80) ? host : `${host}:${port}`;
}

function sentBody(body: RequestBody): OutgoingRequest['body'] {
  switch (body.kind) {
    case 'none':
      return undefined;
    case 'bytes':
      return body.bytes;
    case 'spooled':
      // Not a stream but what makes one: each attempt reads the file anew.
      return () => body.spool.read();
    case 'stream':
      // Read once: what has begun is never sent again.
      return body.stream;
  }
}

/** Where the framing would not tell it. */
function sentLength(body: RequestBody): number | undefined {
  switch (body.kind) {
    case 'none':
    case 'bytes':
      return undefined;
    case 'spooled':
      return body.byteLength;
    case 'stream':
      return body.stream.announcedBytes;
  }
}
