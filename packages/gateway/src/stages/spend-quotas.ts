import type { CountedLimit, LimitVerdict } from '@postern/db/ports';
import { rateLimitFields } from '@postern/policy';
import { Rejection } from '@postern/schemas';
import type { ClientExchange } from '../client-exchange.ts';
import type { Gateway } from '../gateway.ts';
import { CALLS_PER_SECOND_RULE } from '../tenants/tenant-bounds.ts';
import type { AllowedCall } from './seek-approval.ts';

declare const passed: unique symbol;

/** An allowed call that all rate limits let pass. Only `spendQuotas` makes one. */
export interface PassedCall extends AllowedCall {
  readonly [passed]: true;
}

/** The rate limits that matched a call, with what each said. */
export interface SpentQuota {
  readonly limits: readonly CountedLimit[];
  readonly verdicts: readonly LimitVerdict[];
  /** Each limit has counted the call; false when one of them refused it, or when it was given back. */
  isSpent: boolean;
}

/** Stage 7: every matching rate limit, and the tenant's own, counts the call, or none does and it is refused. No promise where there is none. */
export function spendQuotas(gateway: Gateway, allowed: AllowedCall): PassedCall | Promise<PassedCall> {
  const { limits } = allowed.decision;
  const { tenant } = allowed.call.caller;
  const rate = tenant.bounds?.rate;
  if (limits.length === 0 && rate === undefined) return allowed as PassedCall;
  const counted: CountedLimit[] = limits.map((limit) => ({ ...limit, tenant: tenant.name }));
  if (rate !== undefined) counted.push(rate);
  const verdicts = gateway.rateLimits.spend(counted, gateway.now());
  return verdicts instanceof Promise
    ? verdicts.then((late) => pass(allowed, counted, late))
    : pass(allowed, counted, verdicts);
}

function pass(allowed: AllowedCall, limits: readonly CountedLimit[], verdicts: readonly LimitVerdict[]): PassedCall {
  if (verdicts.length !== limits.length) throw new Error('the store of rate limits has not answered for each');
  const isSpent = verdicts.every(({ isAllowed }) => isAllowed);
  allowed.call.caller.request.event.quota = { limits, verdicts, isSpent };
  if (isSpent) return allowed as PassedCall;
  const retryAfterSeconds = Math.max(1, ...verdicts.map((verdict) => verdict.retryAfterSeconds));
  const isTenants = limits.some(({ rule }, place) => rule === CALLS_PER_SECOND_RULE && !verdicts[place]?.isAllowed);
  const detail = isTenants
    ? 'The tenant makes as many calls a second as it may.'
    : 'The calls that a rate limit lets pass are spent for now.';
  throw new Rejection('rate_limited', detail, { details: { retryAfterSeconds } });
}

/** The call was certainly not sent. Nothing when it was given back already. */
export function giveQuotaBack(gateway: Gateway, quota: SpentQuota): void {
  if (!quota.isSpent) return;
  quota.isSpent = false;
  const done = gateway.rateLimits.giveBack(quota.limits, quota.verdicts);
  done?.catch((error: unknown) => gateway.log.error(error, 'give a quota back'));
}

/** `RateLimit` and `RateLimit-Policy` as flat pairs. */
export function quotaFields({ limits, verdicts }: SpentQuota): string[] {
  const fields = rateLimitFields(
    limits.map((limit, place) => ({ rule: limit.rule, limit, verdict: verdicts[place] as LimitVerdict })),
  );
  if (fields === undefined) return [];
  return ['ratelimit', fields.rateLimit, 'ratelimit-policy', fields.rateLimitPolicy];
}

/** Adds them to an answer of the gateway's own. */
export function announceQuota({ response }: ClientExchange, quota: SpentQuota): void {
  if (response.headersSent) return;
  const fields = quotaFields(quota);
  for (let index = 0; index + 1 < fields.length; index += 2) {
    response.setHeader(fields[index] as string, fields[index + 1] as string);
  }
}
