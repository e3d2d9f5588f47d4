import type { CanonicalTarget } from '@postern/canonicalizer';
import { type PinnedTarget, poolKey } from '@postern/proxy-runtime';
import { Rejection } from '@postern/schemas';
import type { AllowVerdict, Verdict } from '@postern/ssrf-guard';
import type { CompiledIntegration } from '../directory/compiled-tenant.ts';
import type { Gateway } from '../gateway.ts';
import type { PassedCall } from './spend-quotas.ts';

declare const guarded: unique symbol;

/** A call whose target has been judged: `target.address` is the one address it may be sent to. Only `guardTarget` makes one. */
export interface GuardedCall {
  readonly [guarded]: true;
  readonly allowed: PassedCall;
  readonly target: PinnedTarget;
}

/** Stage 8, for every call, also when a connection is warm. No promise when the name's addresses are known. */
export function guardTarget(gateway: Gateway, allowed: PassedCall): GuardedCall | Promise<GuardedCall> {
  const { integration, target } = allowed.call;
  const verdict = gateway.guard.judge(target, integration.targetPolicy);
  return verdict instanceof Promise
    ? verdict.then((late) => pin(gateway, allowed, late))
    : pin(gateway, allowed, verdict);
}

function pin(gateway: Gateway, allowed: PassedCall, verdict: Verdict): GuardedCall {
  const { call } = allowed;
  const { event } = call.caller.request;
  if (verdict.verdict === 'deny') {
    event.address = verdict.address;
    if (verdict.code === 'resolve_failed')
      throw new Rejection('resolve_failed', 'The host name of the upstream could not be resolved.');
    throw new Rejection('address_forbidden', 'The upstream lies at an address that this gateway does not call.');
  }
  event.address = verdict.address;
  if (gateway.isOwnListener(verdict.address, verdict.port)) {
    throw new Rejection('address_forbidden', 'The target is this gateway itself.');
  }
  return { allowed, target: pinnedTarget(call.integration, call.target, verdict) } as GuardedCall;
}

/** The guard gives the same verdict object while its answer holds, and connections are found faster under the same target object. */
function pinnedTarget(integration: CompiledIntegration, target: CanonicalTarget, verdict: AllowVerdict): PinnedTarget {
  let pinned = integration.pinned.get(verdict);
  if (pinned === undefined) {
    pinned = {
      poolKey: poolKey({
        tenant: integration.tenant,
        integration: integration.name,
        scheme: target.scheme,
        host: target.host,
        port: target.port,
      }),
      scheme: target.scheme,
      host: unbracketed(target.host),
      port: target.port,
      address: verdict.address,
      tls: integration.tls,
      connectTimeoutMs: integration.spec.timeouts.connectMs,
    };
    integration.pinned.set(verdict, pinned);
  }
  return pinned;
}

function unbracketed(host: string): string {
  return host.startsWith('[') ? host.slice(1, -1) : host;
}
