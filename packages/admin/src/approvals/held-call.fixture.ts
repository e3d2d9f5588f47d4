import { randomUUID } from 'node:crypto';
import { encodeSealedRequest, sealedReference, sealStream, summariseCall } from '@postern/approvals';
import { bodyDigest, canonicalJson, type Descriptor, describeCall, fingerprint } from '@postern/canonicalizer';
import type { ApprovalRecord, ApprovalTerms, NewApproval } from '@postern/db/ports';
import type { TestAnswer, TestControlPlane } from '../control-plane.fixture.ts';

export const TERMS: ApprovalTerms = {
  approvers: 1,
  groups: [],
  pendingSeconds: 900,
  executeSeconds: 600,
  grant: 'rule',
};

export interface HeldCall {
  readonly tenant?: string;
  readonly agent?: string;
  readonly method?: string;
  readonly url?: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string | Uint8Array | null;
  readonly terms?: Partial<ApprovalTerms>;
  readonly members?: Partial<NewApproval>;
  /** What is sealed in place of the request itself. */
  readonly sealed?: { readonly url?: string; readonly fingerprint?: string; readonly bytes?: Uint8Array };
}

/** A call that waits for a person, stored as the data plane stores one. The agent is made when it is not there. */
export async function holdCall(plane: TestControlPlane, held: HeldCall = {}): Promise<ApprovalRecord> {
  const { tenant = 'default', agent = 'coder', members = {} } = held;
  const { repositories, clock } = plane;
  if ((await repositories.agents.getByName(tenant, agent)) === undefined) {
    await plane.call({ method: 'POST', url: '/v1/agents', tenant, body: { name: agent, owner: 'alice' } });
  }
  const { descriptor, body, headers } = describe(held);
  const print = fingerprint(descriptor);
  const sealedRequest = await seal(plane, { ...held, tenant }, { descriptor, print, body, headers });
  const { method, url, integration, action } = descriptor;
  const opened = await repositories.approvals.createFromCanonicalDescriptor(
    {
      tenant,
      agent,
      integration,
      action: action ?? undefined,
      method,
      url,
      fingerprint: print,
      requestId: `req_${randomUUID()}`,
      summary: summariseCall({ method, url, integration, action, bodyBytes: body?.byteLength ?? null }),
      risk: { score: 0.5, labels: ['destructive'] },
      rule: 'writes',
      reason: 'the rule writes asks a person',
      descriptor: canonicalJson(descriptor),
      terms: { ...TERMS, ...held.terms },
      sealedRequest,
      ...members,
    },
    { nowMs: clock.now, caps: { pendingMax: 100_000, newPerMinuteMax: 100_000 } },
  );
  if (opened.kind !== 'created') throw new Error(`the approval was not created but ${opened.kind}`);
  return opened.approval;
}

function describe(held: HeldCall): { descriptor: Descriptor; body: Uint8Array | null; headers: HeldCall['headers'] } {
  const { tenant = 'default', agent = 'coder', method = 'POST', url = 'https://api.example.com/pay' } = held;
  const headers = held.headers ?? [['content-type', 'text/plain']];
  const body = held.body === null ? null : Buffer.from((held.body ?? `amount=${randomUUID()}`) as string);
  const call = { tenant, agent, action: { name: 'pay' }, method, url, headers, body };
  return { descriptor: describeCall(call, { name: 'bank', credential: 'bank-token' }), body, headers };
}

async function seal(
  { repositories, vault, clock }: TestControlPlane,
  { tenant, sealed = {} }: HeldCall & { readonly tenant: string },
  made: {
    readonly descriptor: Descriptor;
    readonly print: string;
    readonly body: Uint8Array | null;
    readonly headers: HeldCall['headers'];
  },
): Promise<string> {
  const { descriptor, print, body, headers = [] } = made;
  const { method } = descriptor;
  const bytes = encodeSealedRequest({ method, url: sealed.url ?? descriptor.url, headers, body });
  const reference = sealedReference('request', tenant, sealed.fingerprint ?? print);
  const pieces = sealed.bytes === undefined ? sealStream([bytes], { vault, reference }) : [sealed.bytes];
  const stored = await repositories.sealedRequests.write({ tenant, keepUntil: clock.now + 3_600_000 }, pieces);
  return stored.id;
}

export function digestOf(body: string | Uint8Array): string {
  return bodyDigest(Buffer.from(body as string)) ?? '';
}

export function decide(
  plane: TestControlPlane,
  id: string,
  verdict: 'approve' | 'deny',
  { token, body, tenant }: { readonly token?: string; readonly body?: object; readonly tenant?: string } = {},
): Promise<TestAnswer> {
  return plane.call({
    method: 'POST',
    url: `/v1/approvals/${id}/${verdict}`,
    body: body ?? (verdict === 'deny' ? { reason: 'no' } : {}),
    ...(token === undefined ? {} : { token }),
    ...(tenant === undefined ? {} : { tenant }),
  });
}
