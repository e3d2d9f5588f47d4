import { fingerprint } from '@postern/canonicalizer';
import { type Explanation, explain as explainByPolicy, type LimitToSpend } from '@postern/policy';
import { answerJson } from '../answers/documents.ts';
import { disposeBody, NO_BODY } from '../body/request-body.ts';
import { ALL_FACTS } from '../directory/facts-read.ts';
import type { Gateway } from '../gateway.ts';
import { authenticate } from '../stages/authenticate.ts';
import { policyFacts } from '../stages/call-facts.ts';
import { descriptorOf } from '../stages/descriptor-of.ts';
import { credentialObstacle } from '../stages/inject-credential.ts';
import { type ResolvedCall, resolveCall } from '../stages/resolve.ts';
import { readCallDocument } from './call-document.ts';
import type { ApiWayIn } from './way-in.ts';

/** `POST /v1/explain`: what would become of a call, and why. Nothing is sent, recorded as sent, or opened. */
export const explain: ApiWayIn = {
  kind: 'api',
  async answer(gateway, request) {
    const caller = await authenticate(gateway, request, 'explain');
    const document = await readCallDocument(request, gateway, caller);
    // A body that would pass as it comes is in no descriptor: its digest is known when it has passed.
    const call = await resolveCall(gateway, caller, { ...document, streamedBody: () => NO_BODY });
    try {
      answerJson(request.exchange, 200, await explanation(gateway, call), request.event.requestId);
    } finally {
      disposeBody(call.body);
    }
  },
};

async function explanation(gateway: Gateway, call: ResolvedCall): Promise<Record<string, unknown>> {
  const { tenant } = call.caller;
  const explained = explainByPolicy(tenant.policy, policyFacts(gateway, call, ALL_FACTS));
  const { outcome, rule, reason, hard, risk, approval, matched, policyVersion, micros, summary, trace } = explained;
  const descriptor = descriptorOf(call);
  const { credential } = call.integration;
  return {
    decision: outcome,
    rule,
    reason,
    hard,
    risk,
    scorer: tenant.scorer === undefined ? undefined : SCORER_NOT_ASKED,
    approval,
    action: call.action?.name ?? null,
    descriptor,
    fingerprint: fingerprint(descriptor),
    credential: {
      type: credential.type,
      secret: credential.secretName ?? null,
      unavailable: credentialObstacle(call),
    },
    limits: await limitsNow(gateway, tenant.name, explained.limits),
    errors: explained.errors,
    matched,
    policyVersion,
    micros,
    summary,
    trace,
  };
}

/** What explain asks has an effect: it costs, it is recorded, and excerpts of the call leave the house. */
const SCORER_NOT_ASKED = {
  asked: false,
  words: 'The risk scorer is asked about calls alone, and was not asked here: it may raise the score, never lower it.',
};

/** The rate limits that the call would have to pass, and what is left of them; nothing is spent. */
async function limitsNow(gateway: Gateway, tenant: string, limits: Explanation['limits']): Promise<object[]> {
  const counted = limits.map((limit) => ({ ...limit, tenant }));
  const verdicts = await gateway.rateLimits.judge(counted, gateway.now());
  return limits.map(({ key: _key, ...limit }: LimitToSpend, place) => {
    const verdict = verdicts[place];
    return { ...limit, remaining: verdict?.remaining, resetSeconds: verdict?.resetSeconds };
  });
}
