import { type Descriptor, fingerprint } from '@postern/canonicalizer';
import type { GrantSearch, StandingScope } from '@postern/db/ports';

/** A canonical path is never empty, so nothing standing fits it. */
const NO_PATH = '';

/**
 * What a standing grant (`rule`) for this call would be bound to, beside tenant and agent: the complete path of the canonical URL,
 * compared as it is; query, headers and body are free. Undefined for tool calls and device commands: all tools of a server share method
 * and path, so that such a grant would cover each of them.
 */
export function standingScope(descriptor: Descriptor): StandingScope | undefined {
  if (descriptor.kind !== 'http') return undefined;
  const { integration, action, method, url } = descriptor;
  return { integration, ...(action === null ? {} : { action }), method, path: pathOf(url) };
}

/**
 * What a call looks for a grant with: its fingerprint, and the scope that a standing one would have.
 *
 * @throws JsonError as `fingerprint`
 */
export function grantSearch(descriptor: Descriptor): GrantSearch {
  const { tenant, agent, integration, method } = descriptor;
  const scope = standingScope(descriptor) ?? { integration, method, path: NO_PATH };
  return { tenant, agent, ...scope, fingerprint: fingerprint(descriptor) };
}

export function fitsScope(scope: StandingScope, call: StandingScope): boolean {
  return (
    scope.path !== NO_PATH &&
    scope.path === call.path &&
    scope.method === call.method &&
    (scope.action ?? null) === (call.action ?? null) &&
    scope.integration === call.integration
  );
}

/** Of a canonical URL, as written there: no parser that would write it otherwise. */
function pathOf(url: string): string {
  const path = url.indexOf('/', url.indexOf('//') + 2);
  const query = url.indexOf('?');
  if (path === -1 || (query !== -1 && query < path)) return '/';
  return url.slice(path, query === -1 ? url.length : query);
}
