import type { AppliedCredential } from '@postern/credentials';
import type { CompiledIntegration } from '../directory/compiled-tenant.ts';
import type { CredentialedCall } from '../stages/inject-credential.ts';
import { narrowAcceptEncoding } from './content-coding.ts';
import { BRIEF_HEAD_LENGTH, EchoMatcher } from './echo-matcher.ts';

/**
 * What the answer to a call must be searched for; undefined when nothing was injected, or `scrub: false` says that nothing is searched.
 * The request then asks for codings that can be searched and for no other.
 */
export function prepareScrub({ intent, applied, request }: CredentialedCall): EchoMatcher | undefined {
  if (applied === undefined) return undefined;
  const { integration } = intent.guarded.allowed.call;
  if (integration.spec.scrub === false) return undefined;
  const matcher = matcherOf(integration, applied);
  if (matcher !== undefined) narrowAcceptEncoding(request.headers);
  return matcher;
}

function matcherOf({ credential, matchers }: CompiledIntegration, applied: AppliedCredential) {
  // A signature is of one call, and nothing of it is met again.
  if (credential.shape === 'signing') return EchoMatcher.compile(applied.echoes, BRIEF_HEAD_LENGTH);
  const known = matchers.get(applied);
  if (known !== undefined) return known;
  const matcher = EchoMatcher.compile(applied.echoes);
  if (matcher !== undefined) matchers.set(applied, matcher);
  return matcher;
}
