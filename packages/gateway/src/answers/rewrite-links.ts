import { judgeRedirect, type RedirectScope } from '@postern/proxy-runtime';

/**
 * Leads `Link`, `Location` and `Content-Location` that point under the base URL into the gateway, in place, so that pagination does
 * not walk out of it. What points elsewhere is passed as it is: unlike a redirect, no client follows it by itself. `headers`: flat
 * pairs. `scope` is asked for only when there is something to rewrite.
 */
export function rewriteLinks(headers: string[], scope: () => RedirectScope): void {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const { length } = headers[i] as string;
    if (length !== 4 && length !== 8 && length !== 16) continue;
    const name = (headers[i] as string).toLowerCase();
    const value = headers[i + 1] as string;
    if (name === 'link') headers[i + 1] = rewriteLinkField(value, scope());
    else if (name === 'location' || name === 'content-location') headers[i + 1] = rewriteOne(value, scope());
  }
}

function rewriteOne(target: string, scope: RedirectScope): string {
  // Led into the gateway already, as the runtime does with a redirect's.
  if (scope.prefix !== undefined && target.startsWith(`${scope.prefix}/`)) return target;
  return judgeRedirect(target, scope) ?? target;
}

/** RFC 8288 section 3: `<target>; parameters, …`. A target is all between angle brackets; parameters are left alone. */
function rewriteLinkField(value: string, scope: RedirectScope): string {
  return value.replace(/<([^<>]*)>/g, (_link, target: string) => `<${rewriteOne(target, scope)}>`);
}
