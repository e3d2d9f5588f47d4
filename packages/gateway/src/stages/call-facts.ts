import type { Facts } from '@postern/policy';
import { filterRequestHeaders } from '@postern/proxy-runtime';
import { type BodyFacts, inspectBody } from '../body/inspect-body.ts';
import type { FactsRead } from '../directory/facts-read.ts';
import { isNewHost } from '../directory/known-hosts.ts';
import type { Gateway } from '../gateway.ts';
import type { ResolvedCall } from './resolve.ts';

/**
 * What the rules look at. `reads` spares finding out what nobody asks for. Fields are those that will be sent, so that none that is
 * dropped on the way (named in `Connection`, say) can change a verdict.
 */
export function policyFacts(gateway: Gateway, call: ResolvedCall, reads: FactsRead): Facts {
  const { agent, tenant } = call.caller;
  const now = gateway.now();
  const sent =
    reads.headers || call.body.kind === 'bytes'
      ? filterRequestHeaders(call.rawHeaders, call.integration.headerPolicy)
      : NO_FIELDS;
  // `explain` is asked with the body, which the call itself would pass unseen.
  const body = call.action?.body === 'stream' ? NOT_LOOKED_INTO : inspectBody(call.body, sent);
  return {
    tenant: tenant.name,
    agent,
    request: {
      method: call.method,
      url: call.target.url,
      target: call.target,
      headers: reads.headers ? pairs(sent) : NO_HEADERS,
      body: body.body,
      bodyInspected: body.bodyInspected,
    },
    integration: call.integration,
    action: call.action,
    otherActions: call.otherActions,
    hostIsNew: isNewHost(agent.knownHosts, call.target.host, now),
    now,
    counts: reads.counts ? countsOf(gateway, call) : undefined,
  };
}

const NO_FIELDS: readonly string[] = [];
const NO_HEADERS: Facts['request']['headers'] = [];
const NOT_LOOKED_INTO: BodyFacts = { bodyInspected: false };

function countsOf(gateway: Gateway, call: ResolvedCall): Facts['counts'] {
  const { caller, integration, action } = call;
  if (action === undefined) return undefined;
  return gateway.callCounts.read(
    { tenant: caller.tenant.name, agent: caller.agent.name, integration: integration.name, action: action.name },
    gateway.now(),
  );
}

/** Flat pairs as pairs. */
export function pairs(flat: readonly string[]): [string, string][] {
  const list: [string, string][] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) list.push([flat[i] as string, flat[i + 1] as string]);
  return list;
}
