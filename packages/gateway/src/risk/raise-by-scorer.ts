import { type Decision, decide, type Facts, scoreRisk } from '@postern/policy';
import { Rejection } from '@postern/schemas';
import type { CachedSecretReference } from '@postern/vault';
import { bodyBytes } from '../body/request-body.ts';
import type { Gateway } from '../gateway.ts';
import type { ResolvedCall } from '../stages/resolve.ts';
import { Abandoned, askScorer } from './ask-scorer.ts';
import { excerptCall, type ShownCall } from './excerpt-call.ts';
import { heardRisk, unheardRisk } from './merge-score.ts';
import type { ScorerEndpoint } from './scorer-endpoint.ts';
import { ScorerFailure } from './scorer-failure.ts';
import { questionBody } from './scorer-question.ts';
import { stricterDecision } from './stricter-decision.ts';

/** A call that policy does not deny, with what it was judged by. */
export interface UndeniedCall {
  readonly call: ResolvedCall;
  readonly facts: Facts;
  readonly decision: Decision;
}

const WITHOUT_TRACE = { trace: false };

/**
 * Asks the tenant's scorer about a call and judges the call once more with what it says. The result is never looser than `decision`:
 * not when the scorer says 0, not when it cannot be heard (then 0.3 is added to the score), whatever the text it judges has told it.
 *
 * Nothing is remembered of an answer: two calls that show the same excerpt need not be the same call.
 *
 * @throws Rejection `audit_unavailable`, and `malformed_request` when the client has left.
 */
export async function raiseByScorer(
  gateway: Gateway,
  endpoint: ScorerEndpoint,
  undenied: UndeniedCall,
): Promise<Decision> {
  const { call, decision } = undenied;
  const facts = withBodyOnce(undenied.facts);
  const risk = await hear(gateway, endpoint, { call, facts, decision });
  const scored = decide(call.caller.tenant.policy, { ...facts, risk }, WITHOUT_TRACE);
  return stricterDecision(decision, scored);
}

async function hear(gateway: Gateway, endpoint: ScorerEndpoint, { call, facts, decision }: UndeniedCall) {
  const { agent, request } = call.caller;
  const { requestId } = request.event;
  const excerpt = excerptCall(shownCall(call, facts));
  const { response } = request.exchange;
  const gone = new AbortController();
  // An answer that is complete closes too: the caller was told to ask for the result later.
  const leave = () => void (response.writableFinished || gone.abort());
  response.once('close', leave);
  if (response.destroyed) leave();
  try {
    const errand = {
      endpoint,
      body: questionBody({ model: endpoint.spec.model, excerpt }),
      secret: secretFor(endpoint, call),
      call: { agent: agent.name, environment: agent.environment, requestId },
    };
    return heardRisk(await askScorer(gateway, errand, gone.signal));
  } catch (error) {
    if (error instanceof Abandoned)
      throw new Rejection('malformed_request', 'The client left before its call was decided.');
    if (!(error instanceof ScorerFailure)) throw error;
    gateway.metrics.countScorerError(error.code);
    if (endpoint.faults.isNews(error.code)) {
      gateway.log.error(error, `ask the risk scorer of tenant ${endpoint.tenant}`, requestId);
    }
    return unheardRisk(decision.risk ?? scoreRisk(facts));
  } finally {
    response.off('close', leave);
  }
}

/** As any secret it is opened only for an agent whose environment it lists. */
function secretFor(
  { spec: { secret: name } }: ScorerEndpoint,
  { caller }: ResolvedCall,
): CachedSecretReference | undefined {
  const secret = name === undefined ? undefined : caller.tenant.secrets.get(name);
  if (secret === undefined) return undefined;
  const { environments } = secret.record;
  if (environments !== undefined && !environments.includes(caller.agent.environment ?? '')) return undefined;
  return secret.reference;
}

function shownCall({ method, target, body }: ResolvedCall, { request }: Facts): ShownCall {
  const shown = { method, path: target.path, query: target.query };
  if (body.kind === 'none') return { ...shown, body: undefined };
  if (!request.bodyInspected) return { ...shown, body: { unseen: unseen(body.kind, bodyBytes(body)) } };
  try {
    return { ...shown, body: { value: typeof request.body === 'function' ? request.body() : request.body } };
  } catch {
    return { ...shown, body: { unseen: 'cannot be read as what it says it is' } };
  }
}

function unseen(kind: ResolvedCall['body']['kind'], bytes: number): string {
  return kind === 'stream' ? 'passes unseen' : `${bytes} bytes, not looked into`;
}

/** The body is read for the excerpt and for the second judgement: once for both. */
function withBodyOnce(facts: Facts): Facts {
  const { body: read } = facts.request;
  if (typeof read !== 'function') return facts;
  let known: { readonly value: unknown } | { readonly error: unknown } | undefined;
  const body = (): unknown => {
    known ??= outcomeOf(read as () => unknown);
    if ('error' in known) throw known.error;
    return known.value;
  };
  return { ...facts, request: { ...facts.request, body } };
}

function outcomeOf(read: () => unknown): { readonly value: unknown } | { readonly error: unknown } {
  try {
    return { value: read() };
  } catch (error) {
    return { error };
  }
}
