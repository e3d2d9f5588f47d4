import { findAgentKeyInHeaders, findAgentKeyText } from '@postern/auth';
import { type CanonicalTarget, CanonicalUrlError } from '@postern/canonicalizer';
import type { ApprovalRecord } from '@postern/db/ports';
import type { ActionMatch } from '@postern/policy';
import { type Action, Rejection } from '@postern/schemas';
import type { BodyLimits } from '../body/receive-body.ts';
import { disposeBody, type RequestBody } from '../body/request-body.ts';
import type { KeyedCall } from '../claims/keyed-call.ts';
import { type CompiledIntegration, integrationOfHost } from '../directory/compiled-tenant.ts';
import type { Gateway } from '../gateway.ts';
import { bodyMemoryOf } from '../tenants/tenant-bounds.ts';
import type { Caller } from './authenticate.ts';

/** What a way in has made of its request. */
export interface RequestedCall {
  readonly integration: string;
  readonly method: string;
  /** Flat name, value pairs of the caller, before any policy. */
  readonly rawHeaders: readonly string[];
  readonly intent: string | undefined;
  /** What the call is claimed under: the caller's idempotency key, or that of the approval that is executed. */
  readonly claimKey?: string | undefined;
  /** How long the caller would wait for a person's approval. */
  readonly waitSeconds?: number | undefined;
  /** `Prefer: respond-async`: the caller will ask for the answer later. */
  readonly respondsAsync?: boolean | undefined;
  /** The approval that is executed; its grants alone count. */
  readonly approval?: ApprovalRecord | undefined;
  /** Makes the target canonical. Throws `CanonicalUrlError`. */
  target(integration: CompiledIntegration): CanonicalTarget;
  /** Brings the body, within the limits. Throws `request_too_large`. */
  body(limits: BodyLimits): RequestBody | Promise<RequestBody>;
  /** The same for an action with `body: stream`. Throws `request_too_large`, and `target_invalid` for what no stream can have. */
  streamedBody(limits: BodyLimits): RequestBody;
}

/** A call that is known completely: what is judged from here on is what is sent. */
export interface ResolvedCall {
  readonly caller: Caller;
  readonly integration: CompiledIntegration;
  readonly action: Action | undefined;
  /** What else an upstream may take it for, which reads more in the path than is written. */
  readonly otherActions: ActionMatch<Action>['otherActions'];
  readonly method: string;
  readonly target: CanonicalTarget;
  /** Flat pairs; those of the stored request once an approval of it is used. */
  rawHeaders: readonly string[];
  readonly body: RequestBody;
  readonly requested: RequestedCall;
  /** Set by stage 4 for a call with a key, and by stage 6 for the first execution of an approval. */
  claim: KeyedCall | undefined;
}

/** RFC 9110 section 9: upper-case here, so that no rule is evaded by spelling. CONNECT and TRACE are never forwarded. */
const METHOD = /^[A-Z][A-Z-]{0,31}$/;

/** Stage 3. */
export async function resolveCall(gateway: Gateway, caller: Caller, requested: RequestedCall): Promise<ResolvedCall> {
  refuseKeyIn(caller, requested);
  const { event } = caller.request;
  event.integration = requested.integration;
  event.intent = requested.intent;
  if (!METHOD.test(requested.method) || requested.method === 'CONNECT' || requested.method === 'TRACE') {
    findIntegration(caller, requested.integration);
    throw new Rejection('method_not_allowed', 'This method is not forwarded.');
  }
  const aimed = aim(caller, requested);
  const { integration, action } = aimed;
  const limits: BodyLimits = {
    bytesMax: integration.spec.limits.requestBytes,
    spoolFolder: gateway.spoolFolder,
    memory: bodyMemoryOf(gateway.bodyMemory, caller.tenant),
  };
  const body = action?.body === 'stream' ? requested.streamedBody(limits) : await requested.body(limits);
  if (body.kind === 'bytes' && findAgentKeyText(body.bytes)) {
    disposeBody(body);
    throw keyInRequest('the body');
  }
  return resolved(caller, requested, aimed, body);
}

/** The same call under what holds now, with the body that was received. */
export function resolveAgain(caller: Caller, { requested, body }: ResolvedCall): ResolvedCall {
  return resolved(caller, requested, aim(caller, requested), body);
}

type Aimed = Pick<ResolvedCall, 'integration' | 'action' | 'otherActions' | 'target'>;

/** What the call is aimed at. */
function aim(caller: Caller, requested: RequestedCall): Aimed {
  const { event } = caller.request;
  const integration = findIntegration(caller, requested.integration);
  event.integration = integration.name;
  event.method = requested.method;
  const target = canonicalTarget(requested, integration);
  event.url = `${target.scheme}://${authority(target)}${target.path}`;
  integration.credential.checkTarget(target.url, requested.rawHeaders);
  const { action, otherActions } = integration.actions.match(requested.method, target.path);
  event.action = action?.name;
  return { integration, action, otherActions, target };
}

function resolved(caller: Caller, requested: RequestedCall, aimed: Aimed, body: RequestBody): ResolvedCall {
  const { integration, action, otherActions, target } = aimed;
  const { method, rawHeaders } = requested;
  return {
    caller,
    integration,
    action,
    otherActions,
    method,
    target,
    rawHeaders,
    body,
    requested,
    claim: undefined,
  };
}

function findIntegration(caller: Caller, name: string): CompiledIntegration {
  const integration = namedIntegration(caller, name);
  if (integration === undefined) throw new Rejection('unknown_integration', 'There is no integration of that name.');
  if (integration.spec.disabled) throw new Rejection('integration_disabled', 'The integration is disabled.');
  const environments = integration.spec.environments;
  if (environments !== undefined && !environments.includes(caller.agent.environment ?? '')) {
    throw new Rejection('integration_disabled', "The integration is not there for the agent's environment.");
  }
  return integration;
}

function namedIntegration({ request: { arrival }, tenant }: Caller, name: string): CompiledIntegration | undefined {
  switch (arrival.kind) {
    case 'gateway':
      return tenant.integrations.get(name);
    case 'host':
      return integrationOfHost(tenant, name);
    case 'own':
      // To everybody else's agents the address leads nowhere, as a name does that their tenant lacks.
      return arrival.tenant === tenant.name ? tenant.integrations.get(name) : undefined;
  }
}

function canonicalTarget(requested: RequestedCall, integration: CompiledIntegration): CanonicalTarget {
  let target: CanonicalTarget;
  try {
    target = requested.target(integration);
  } catch (error) {
    if (!(error instanceof CanonicalUrlError)) throw error;
    throw new Rejection('target_invalid', `The target is not acceptable: ${error.message}.`, { cause: error });
  }
  if (findAgentKeyText(target.pathAndQuery)) throw keyInRequest('the URL');
  return target;
}

/** Keys have their places; a copy anywhere else would be forwarded, logged or stored by somebody. Before anything is noted of the call. */
function refuseKeyIn({ request }: Caller, { integration, rawHeaders, intent }: RequestedCall): void {
  if (findAgentKeyText(request.requestTarget) || findAgentKeyText(integration)) throw keyInRequest('the URL');
  if (
    findAgentKeyInHeaders(request.rawHeaders) ||
    (rawHeaders !== request.rawHeaders && findAgentKeyInHeaders(rawHeaders))
  )
    throw keyInRequest('a header that is no place for it');
  if (intent !== undefined && findAgentKeyText(intent)) throw keyInRequest('the stated intent');
}

function keyInRequest(place: string): Rejection {
  return new Rejection(
    'key_in_request',
    `An agent key stands in ${place}. Send it in Postern-Key alone, and replace the key: it may have been seen.`,
  );
}

function authority(target: CanonicalTarget): string {
  const isDefault = target.port === (target.scheme === 'https' ? 443 : 80);
  return isDefault ? target.host : `${target.host}:${target.port}`;
}
