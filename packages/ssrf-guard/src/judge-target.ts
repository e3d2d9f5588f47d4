import { inspectAddress } from './classify.ts';
import { createDnsResolver } from './dns-resolver.ts';
import { inspectAnswers } from './inspect-answers.ts';
import { parseTarget, type TargetInput } from './parse-target.ts';
import { type Resolution, type Resolve, resolveName } from './resolve-name.ts';
import { compileTargetPolicy, refuseByRules, type TargetRules } from './target-policy.ts';
import { deny, judgeAddresses, type Verdict } from './verdict.ts';

export interface JudgeOptions extends TargetRules {
  /** Default: hosts file, then the system's DNS servers (`createDnsResolver`). */
  readonly resolve?: Resolve | undefined;
  /** Deadline of the resolver; default 2,000 ms. */
  readonly resolveTimeoutMs?: number | undefined;
}

/**
 * Judges one target: its words, then every address it has. Nothing is kept; a program that judges many calls uses
 * `createTargetGuard`. Rejects only when the options themselves are at fault (`TypeError`); all else is a verdict.
 */
export async function judgeTarget(target: TargetInput, options: JudgeOptions = {}): Promise<Verdict> {
  const policy = compileTargetPolicy(options);
  const parsed = parseTarget(target);
  if ('code' in parsed) return deny(parsed.code, parsed.host === undefined ? {} : { host: parsed.host });
  const { host } = parsed;
  const refusal = refuseByRules(parsed, policy);
  if (refusal !== undefined) return deny(refusal, { host });
  const literal = inspectAddress(host);
  if (literal !== undefined) return judgeAddresses(parsed, [literal], policy);
  let resolution: Resolution;
  try {
    resolution = await resolveName(host, options.resolve ?? createDnsResolver(), options.resolveTimeoutMs ?? 2_000);
  } catch {
    return deny('resolve_failed', { host });
  }
  return judgeAddresses(parsed, inspectAnswers(resolution.addresses), policy);
}
