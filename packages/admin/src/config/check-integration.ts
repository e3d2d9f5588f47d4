import { X509Certificate } from 'node:crypto';
import { CanonicalUrlError, createTargetCanonicaliser } from '@postern/canonicalizer';
import { findCredentialIssues } from '@postern/credentials';
import { compileActions, PolicyError } from '@postern/policy';
import { compileHeaderPolicy } from '@postern/proxy-runtime';
import type { Integration } from '@postern/schemas';
import { canonicalHost, classifyAddress, compileTargetPolicy, judgeTarget } from '@postern/ssrf-guard';
import { tokenPlaceOf } from '../token-place.ts';
import { type PlacedIssue, pathOfField } from '../validation/check-shape.ts';

export interface CheckedIntegration {
  /**
   * Base URL in canonical form without trailing slash; `hosts` filled in, but where a template may bring them. Of use only when there are
   * no issues.
   */
  readonly integration: Integration;
  readonly issues: readonly PlacedIssue[];
}

/**
 * What a schema cannot judge of one integration: its base URL, literal addresses, cleartext credentials. Needs no network: names are
 * judged at call time.
 */
export async function checkIntegration(given: Integration): Promise<CheckedIntegration> {
  const base = readBaseUrl(given.baseUrl);
  if ('message' in base) return { integration: given, issues: [{ path: ['baseUrl'], message: base.message }] };
  const hosts = given.hosts ?? [base.host];
  const isLeftToTemplate = given.template !== null && given.hosts === undefined;
  const integration: Integration = { ...given, baseUrl: base.url, ...(isLeftToTemplate ? {} : { hosts }) };
  const issues = [
    ...checkHosts(base.host, hosts),
    ...checkNetwork(integration),
    ...checkCleartext(integration, base.scheme),
    ...checkActions(integration),
    ...checkCredential(integration, base.scheme),
    ...checkHeaders(integration),
    ...checkCertificates(integration),
  ];
  if (issues.length === 0) {
    issues.push(...(await checkLiterals(integration, base)), ...(await checkTokenEndpoint(integration)));
  }
  return { integration, issues };
}

interface BaseUrl {
  readonly url: string;
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
}

/** The canonical base URL, or what is wrong with it. */
function readBaseUrl(text: string): BaseUrl | { readonly message: string } {
  try {
    const { base } = createTargetCanonicaliser(text);
    return {
      url: base.url.replace(/\/$/, ''),
      scheme: base.scheme,
      host: base.host,
      port: base.port,
    };
  } catch (cause) {
    if (!(cause instanceof CanonicalUrlError)) throw cause;
    return { message: `must be an absolute URL such as https://api.example.com/v1: ${cause.message}` };
  }
}

function checkHosts(baseHost: string, hosts: readonly string[]): PlacedIssue[] {
  const issues = hosts.flatMap((host, index): PlacedIssue[] => {
    const bare = host.startsWith('[') ? host.slice(1, -1) : host;
    const canonical = canonicalHost(bare);
    if (canonical === bare) return [];
    const message = canonical === undefined ? 'is not a host name or address' : `must be written ${canonical}`;
    return [{ path: ['hosts', index], message }];
  });
  if (issues.length === 0 && !hosts.includes(baseHost)) {
    issues.push({ path: ['hosts'], message: `must contain the base URL's host ${baseHost}` });
  }
  return issues;
}

function checkNetwork(integration: Integration): PlacedIssue[] {
  return integration.network.unsafeAllowAddresses.flatMap((cidr, index): PlacedIssue[] => {
    try {
      compileTargetPolicy({ unsafeAllowAddresses: [cidr] });
      return [];
    } catch (cause) {
      if (!(cause instanceof TypeError)) throw cause;
      return [{ path: ['network', 'unsafeAllowAddresses', index], message: cause.message }];
    }
  });
}

function checkCleartext(integration: Integration, baseScheme: 'http' | 'https'): PlacedIssue[] {
  const { credential, network } = integration;
  const issues: PlacedIssue[] = [];
  if (network.schemes !== undefined && !network.schemes.includes(baseScheme)) {
    issues.push({ path: ['network', 'schemes'], message: `must contain the base URL's scheme ${baseScheme}` });
  }
  const isCleartext = baseScheme === 'http' || network.schemes?.includes('http') === true;
  if (isCleartext && credential.type !== 'none' && !network.unsafeAllowCleartextCredentials) {
    const path = baseScheme === 'http' ? ['baseUrl'] : ['network', 'schemes'];
    const message = 'must be https where there is a credential, unless network.unsafeAllowCleartextCredentials is true';
    issues.push({ path, message });
  }
  return issues;
}

function checkActions(integration: Integration): PlacedIssue[] {
  try {
    compileActions(integration.actions);
    return [];
  } catch (cause) {
    if (!(cause instanceof PolicyError)) throw cause;
    return cause.issues.map(({ field, message }) => ({ path: pathOfField(field), message }));
  }
}

function checkCredential({ credential }: Integration, baseScheme: 'http' | 'https'): PlacedIssue[] {
  const issues = findCredentialIssues(credential).map(({ field, message }): PlacedIssue => {
    return { path: ['credential', ...pathOfField(field)], message };
  });
  if (credential.type === 'mtls' && baseScheme === 'http') {
    issues.push({ path: ['baseUrl'], message: 'must be https: a client certificate is shown in the TLS handshake' });
  }
  return issues;
}

/** Where tokens are asked for is judged as the upstream is. */
async function checkTokenEndpoint({ credential, network }: Integration): Promise<PlacedIssue[]> {
  const place = tokenPlaceOf(credential);
  if (place === undefined) return [];
  const path = ['credential', place.field];
  const url = new URL(place.url);
  if (url.protocol === 'http:' && !network.unsafeAllowCleartextCredentials) {
    return [{ path, message: 'must be https, unless network.unsafeAllowCleartextCredentials is true' }];
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (canonicalHost(host) !== host) return [{ path, message: 'must name a host or an address' }];
  if (classifyAddress(host) === 'invalid') return [];
  const { unsafeAllowAddresses } = network;
  const verdict = await judgeTarget(url.href, { unsafeAllowAddresses });
  if (verdict.verdict === 'allow') return [];
  return [
    {
      path,
      message: `the address is ${verdict.class ?? 'not global'}; network.unsafeAllowAddresses does not cover it`,
    },
  ];
}

function checkHeaders({ headers }: Integration): PlacedIssue[] {
  return (['request', 'response'] as const).flatMap((direction) => {
    return headers[direction].allow.flatMap((pattern, index): PlacedIssue[] => {
      try {
        compileHeaderPolicy({ requestAllow: [pattern] });
        return [];
      } catch (cause) {
        if (!(cause instanceof TypeError)) throw cause;
        const message = 'must be a header name, or the beginning of one followed by "*"';
        return [{ path: ['headers', direction, 'allow', index], message }];
      }
    });
  });
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

function checkCertificates({ tls }: Integration): PlacedIssue[] {
  if (tls.ca === null) return [];
  const certificates = tls.ca.match(PEM_CERTIFICATE) ?? [];
  const isReadable = certificates.length > 0 && certificates.every(isCertificate);
  return isReadable ? [] : [{ path: ['tls', 'ca'], message: 'must be one or more certificates in PEM form' }];
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== undefined;
  } catch {
    return false;
  }
}

/** The positions of items that are there before. */
export function duplicatesOf(items: readonly string[]): readonly number[] {
  const seen = new Set<string>();
  return items.flatMap((item, index) => {
    if (seen.has(item)) return [index];
    seen.add(item);
    return [];
  });
}

/** Hosts that are addresses are judged as a call would judge them. */
async function checkLiterals(integration: Integration, base: BaseUrl): Promise<PlacedIssue[]> {
  const { unsafeAllowAddresses } = integration.network;
  const issues: PlacedIssue[] = [];
  for (const [index, host] of (integration.hosts ?? []).entries()) {
    const address = host.startsWith('[') ? host.slice(1, -1) : host;
    if (classifyAddress(address) === 'invalid') continue;
    const verdict = await judgeTarget(
      { scheme: base.scheme, host: address, port: base.port },
      { unsafeAllowAddresses },
    );
    if (verdict.verdict === 'allow') continue;
    const reason = verdict.class === 'metadata' ? 'a cloud metadata address is never allowed' : undefined;
    const message =
      reason ?? `the address is ${verdict.class ?? 'not global'}; network.unsafeAllowAddresses does not cover it`;
    issues.push({ path: host === base.host ? ['baseUrl'] : ['hosts', index], message });
  }
  return issues;
}
