import type { AppliedCredential } from '@postern/credentials';
import { filterRequestHeaders, type OutgoingRequest } from '@postern/proxy-runtime';
import { Rejection } from '@postern/schemas';
import type { Secret } from '@postern/vault';
import type { RequestBody } from '../body/request-body.ts';
import type { CompiledIntegration, TenantSecret } from '../directory/compiled-tenant.ts';
import type { Gateway } from '../gateway.ts';
import type { Intent } from './record-intent.ts';
import type { ResolvedCall } from './resolve.ts';

/** A request ready to be sent, with the credential in it: never logged, never returned. */
export interface CredentialedCall {
  readonly intent: Intent;
  readonly request: OutgoingRequest;
  /** What was added to the request: an answer must not pass it back. undefined for an integration without a credential. */
  readonly applied: AppliedCredential | undefined;
}

/** Stage 10. Demands a recorded intent: no secret is opened for a call that left no trace. */
export function injectCredential(gateway: Gateway, intent: Intent): CredentialedCall | Promise<CredentialedCall> {
  const { call } = intent.guarded.allowed;
  const { credential } = call.integration;
  if (credential.secretName === undefined) return credentialed(gateway, intent, undefined);
  const { reference } = entitledSecret(call, credential.secretName);
  const secret = gateway.secrets.get(reference);
  if (secret instanceof Promise) {
    return secret.then(
      (opened) => credentialed(gateway, intent, applySecret(call.integration, opened)),
      (error: unknown) => {
        throw unavailable(error);
      },
    );
  }
  return credentialed(gateway, intent, applySecret(call.integration, secret));
}

function credentialed(gateway: Gateway, intent: Intent, applied: AppliedCredential | undefined): CredentialedCall {
  return { intent, request: outgoing(gateway, intent.guarded.allowed.call, applied), applied };
}

/** A secret is opened only for an agent whose environment both the secret and the integration list. */
function entitledSecret(call: ResolvedCall, secretName: string): TenantSecret {
  const { caller, integration } = call;
  const secret = caller.tenant.secrets.get(secretName);
  if (secret === undefined) throw unavailable(new Error(`secret ${secretName} does not exist`));
  const { record } = secret;
  if (record.environments !== undefined && !record.environments.includes(caller.agent.environment ?? '')) {
    throw unavailable(new Error(`secret ${secretName} is not for the environment of agent ${caller.agent.name}`));
  }
  if (call.target.scheme === 'http' && !integration.spec.network.unsafeAllowCleartextCredentials) {
    throw unavailable(new Error('a credential is never sent over cleartext http'));
  }
  return secret;
}

function unavailable(cause: unknown): Rejection {
  return new Rejection(
    'credential_unavailable',
    'The credential of the integration is not available, so the call was not sent.',
    { cause },
  );
}

function outgoing(gateway: Gateway, call: ResolvedCall, applied: AppliedCredential | undefined): OutgoingRequest {
  const { headerPolicy } = call.integration;
  const headers = filterRequestHeaders(call.rawHeaders, headerPolicy, GATEWAY_WRITES);
  const { event } = call.caller.request;
  // RFC 9110 section 7.2: Host comes first.
  headers.unshift('host', hostField(call));
  headers.push('x-request-id', event.requestId, 'via', `1.1 ${gateway.viaName}`);
  headers.push('traceparent', traceparent(call.rawHeaders, event.requestId));
  let { pathAndQuery } = call.target;
  if (applied !== undefined) {
    for (const [name, value] of applied.headers) headers.push(name, value);
    if (applied.query !== undefined) pathAndQuery += (call.target.hasQuery ? '&' : '?') + applied.query;
  }
  return {
    method: call.method,
    pathAndQuery,
    headers,
    body: sentBody(call.body),
    bodyBytes: call.body.kind === 'spooled' ? call.body.byteLength : undefined,
  };
}

function applySecret(integration: CompiledIntegration, secret: Secret): AppliedCredential {
  let applied = integration.applied.get(secret);
  if (applied === undefined) {
    try {
      applied = integration.credential.apply(secret.reveal());
    } catch (error) {
      throw error instanceof Rejection ? error : unavailable(error);
    }
    integration.applied.set(secret, applied);
  }
  return applied;
}

/** Written anew for every call, so the caller's own are taken off. */
const GATEWAY_WRITES = ['x-request-id', 'traceparent'];

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
      return body.spool.read();
  }
}

/** W3C Trace Context: `00-{trace id}-{parent id}-{flags}`. */
const TRACEPARENT = /^00-([0-9a-f]{32})-[0-9a-f]{16}-([0-9a-f]{2})$/;

/** Continues the caller's trace, else begins one. Our span's id comes from the request id, so log and trace meet. */
function traceparent(rawHeaders: readonly string[], requestId: string): string {
  const span = requestId.slice(19, 23) + requestId.slice(24);
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    if (name.length !== 11 || name.toLowerCase() !== 'traceparent') continue;
    const given = TRACEPARENT.exec(rawHeaders[i + 1] as string);
    if (given !== null && given[1] !== ALL_ZERO_TRACE) return `00-${given[1]}-${span}-${given[2]}`;
  }
  return `00-${requestId.slice(0, 8)}${requestId.slice(9, 13)}${requestId.slice(14, 18)}${span}-${span}-00`;
}

const ALL_ZERO_TRACE = '0'.repeat(32);
