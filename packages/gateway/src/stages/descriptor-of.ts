import { bodyDigest, type Descriptor, DescriptorError, describeCall } from '@postern/canonicalizer';
import { filterRequestHeaders } from '@postern/proxy-runtime';
import { Rejection } from '@postern/schemas';
import type { RequestBody } from '../body/request-body.ts';
import { pairs } from './call-facts.ts';
import type { ResolvedCall } from './resolve.ts';

/** The canonical form of the call: what approvals and idempotency compare. @throws Rejection `target_invalid` */
export function descriptorOf(call: ResolvedCall): Descriptor {
  const { caller, integration } = call;
  try {
    return describeCall(
      {
        kind: 'http',
        tenant: caller.tenant.name,
        agent: caller.agent.name,
        action: call.action ?? null,
        method: call.method,
        url: call.target.url,
        isCanonicalUrl: true,
        headers: forwardedHeaders(call),
        bodyDigest: digestOf(call.body),
      },
      {
        name: integration.name,
        template: integration.spec.template,
        credential: integration.credential.secretName ?? null,
      },
    );
  } catch (error) {
    if (!(error instanceof DescriptorError)) throw error;
    throw new Rejection('target_invalid', `The call cannot be described: ${error.message}.`, { cause: error });
  }
}

/** The caller's headers that go to the upstream, as received. */
export function forwardedHeaders(call: ResolvedCall): [string, string][] {
  return pairs(filterRequestHeaders(call.rawHeaders, call.integration.headerPolicy));
}

function digestOf(body: RequestBody): string | null {
  switch (body.kind) {
    case 'none':
      return null;
    case 'bytes':
      return bodyDigest(body.bytes);
    case 'spooled':
      return body.spool.seal();
    case 'stream':
      return null;
  }
}
