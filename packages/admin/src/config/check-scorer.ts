import { isDeepStrictEqual } from 'node:util';
import { CanonicalUrlError, createTargetCanonicaliser } from '@postern/canonicalizer';
import { Rejection, type Risk, type RiskScorer } from '@postern/schemas';
import { classifyAddress, compileTargetPolicy, judgeTarget } from '@postern/ssrf-guard';
import type { UnsafeRights } from '../unsafe-members.ts';
import type { PlacedIssue } from '../validation/check-shape.ts';
import { cidrWithin } from './cidr-within.ts';

/**
 * Judges the scorer of `risk`. Only an instance owner may say where it is asked (`forbidden`); others may set all else of it, and the
 * thresholds, as long as they leave that alone or take the scorer away. Returns what is wrong with the address, with paths below `risk`.
 */
export async function checkScorer(risk: Risk, before: Risk, rights: UnsafeRights): Promise<readonly PlacedIssue[]> {
  const { scorer } = risk;
  if (scorer === null) return [];
  if (!rights.isInstanceOwner && !isDeepStrictEqual(placeOf(scorer), placeOf(before.scorer))) {
    throw new Rejection('forbidden', 'Only an instance owner may say where the scorer of "risk" is asked.');
  }
  const issues = [...checkNetworks(scorer, rights.unsafeAddressCeiling), ...(await checkBaseUrl(scorer))];
  return issues.map(({ path, message }) => ({ path: ['scorer', ...path], message }));
}

function placeOf(scorer: RiskScorer | null): object | null {
  if (scorer === null) return null;
  const { baseUrl, unsafeAllowAddresses = [], unsafeAllowCleartextCredentials = false } = scorer;
  return { baseUrl, unsafeAllowAddresses: [...unsafeAllowAddresses].sort(), unsafeAllowCleartextCredentials };
}

function checkNetworks({ unsafeAllowAddresses = [] }: RiskScorer, ceiling: readonly string[] | undefined) {
  return unsafeAllowAddresses.flatMap((cidr, index): PlacedIssue[] => {
    const path = ['unsafeAllowAddresses', index];
    try {
      compileTargetPolicy({ unsafeAllowAddresses: [cidr] });
    } catch (cause) {
      if (!(cause instanceof TypeError)) throw cause;
      return [{ path, message: cause.message }];
    }
    if (ceiling === undefined || cidrWithin(cidr, ceiling)) return [];
    return [{ path, message: 'must lie within the networks of POSTERN_UNSAFE_ALLOW_ADDRESSES' }];
  });
}

/** Needs no network: a name is judged when it is asked. */
async function checkBaseUrl(scorer: RiskScorer): Promise<PlacedIssue[]> {
  const { baseUrl, unsafeAllowAddresses = [], unsafeAllowCleartextCredentials = false } = scorer;
  const refused = (message: string): PlacedIssue[] => [{ path: ['baseUrl'], message }];
  try {
    const { base } = createTargetCanonicaliser(baseUrl);
    if (base.scheme === 'http' && !unsafeAllowCleartextCredentials) {
      return refused('must be https, unless unsafeAllowCleartextCredentials is true: excerpts of calls go there');
    }
    const host = base.host.replace(/^\[|\]$/g, '');
    if (classifyAddress(host) === 'invalid') return [];
    const verdict = await judgeTarget({ scheme: base.scheme, host, port: base.port }, { unsafeAllowAddresses });
    if (verdict.verdict === 'allow') return [];
    return verdict.class === 'metadata'
      ? refused('a cloud metadata address is never allowed')
      : refused(`the address is ${verdict.class ?? 'not global'}; unsafeAllowAddresses does not cover it`);
  } catch (cause) {
    if (!(cause instanceof CanonicalUrlError)) throw cause;
    return refused(`must be an absolute URL such as https://api.openai.com/v1: ${cause.message}`);
  }
}
