import { type Descriptor, describeCall, fingerprint } from '@postern/canonicalizer';

/** The stored request as it would be sent, with the digest of its body: `sha-256:` + hex, null without one. */
export interface StoredRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly bodyDigest: string | null;
}

/** What was approved: the descriptor that was shown and its fingerprint. */
export interface ApprovedBinding {
  readonly descriptor: Descriptor;
  readonly fingerprint: string;
}

/**
 * Whether what is about to be sent is what was approved: the descriptor is made anew of the stored request, and its fingerprint must be
 * the approved one. The URL must be the canonical one as it stands.
 */
export function verifyStoredRequest(request: StoredRequest, binding: ApprovedBinding): boolean {
  const { kind, tenant, agent, integration, template, action, volatile, tool, credential } = binding.descriptor;
  const { method, url, headers, bodyDigest } = request;
  try {
    const described = describeCall(
      {
        kind,
        tenant,
        agent,
        action: action === null ? null : { name: action, ...(volatile === undefined ? {} : { volatile }) },
        method,
        url,
        headers,
        bodyDigest,
        ...(tool === undefined ? {} : { tool }),
      },
      { name: integration, template, credential },
    );
    return described.url === url && fingerprint(described) === binding.fingerprint;
  } catch {
    // What cannot be described was never approved.
    return false;
  }
}
