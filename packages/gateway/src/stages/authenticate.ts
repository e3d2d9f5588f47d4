import { extractAgentKey } from '@postern/auth';
import { type KeyScope, Rejection } from '@postern/schemas';
import { type AgentIdentity, isInNetworks } from '../directory/agent-identity.ts';
import type { CompiledTenant } from '../directory/compiled-tenant.ts';
import type { KnownCaller } from '../directory/directory.ts';
import type { Gateway } from '../gateway.ts';
import type { AdmittedRequest } from './admit.ts';

declare const authenticated: unique symbol;

/** A request whose agent is known. Only `authenticate` makes one. */
export interface Caller {
  readonly [authenticated]: true;
  readonly request: AdmittedRequest;
  readonly agent: AgentIdentity;
  /** The one version of the tenant's configuration that this call is judged by. */
  readonly tenant: CompiledTenant;
}

/** Stage 2. `scope`: what the key must permit. */
export function authenticate(gateway: Gateway, request: AdmittedRequest, scope: KeyScope): Caller | Promise<Caller> {
  const { queuedKeyId } = request;
  if (queuedKeyId !== undefined) {
    const holder = gateway.directory.findHolder(queuedKeyId);
    return holder.then((known) => admitCaller(gateway, request, known, scope));
  }
  const found = extractAgentKey(request.rawHeaders, gateway.directory.isKnownKey);
  switch (found.kind) {
    case 'absent':
      throw new Rejection(
        'unauthenticated',
        'Send the agent key in Postern-Key, or where the client puts its API key.',
      );
    case 'malformed':
      throw new Rejection('unauthenticated', 'The agent key is incomplete or mistyped: its checksum does not fit.');
    case 'found': {
      const known = gateway.directory.findCaller(found.key);
      return known instanceof Promise
        ? known.then((late) => admitCaller(gateway, request, late, scope))
        : admitCaller(gateway, request, known, scope);
    }
  }
}

function admitCaller(
  gateway: Gateway,
  request: AdmittedRequest,
  known: KnownCaller | undefined,
  scope: KeyScope,
): Caller {
  if (known === undefined)
    throw new Rejection('unauthenticated', 'The agent key is not known here, or it was revoked.');
  const { agent, tenant } = known;
  if (agent.keyExpiresAt <= gateway.now()) throw new Rejection('unauthenticated', 'The agent key has expired.');
  const { event } = request;
  event.tenant = agent.tenant;
  event.agent = agent.name;
  event.environment = agent.environment ?? gateway.environment;
  if (tenant.disabled) throw new Rejection('agent_disabled', 'The tenant of the agent is disabled.');
  if (agent.disabled) throw new Rejection('agent_disabled', 'The agent is disabled.');
  if (!agent.scopes.includes(scope)) throw new Rejection('forbidden', `The agent key lacks the scope "${scope}".`);
  if (agent.addresses !== undefined && !isInNetworks(request.clientAddress, agent.addresses)) {
    throw new Rejection('address_not_allowed', 'The agent may not call from this address.');
  }
  return { request, agent, tenant } as Caller;
}
