import { createTargetCanonicaliser, type TargetCanonicaliser } from '@postern/canonicalizer';
import { type AppliedCredential, type CompiledCredential, compileCredential } from '@postern/credentials';
import type { SecretRecord } from '@postern/db/ports';
import { type ActionMatcher, type CompiledPolicy, compileActions, compilePolicy, policyBundle } from '@postern/policy';
import {
  compileHeaderPolicy,
  createLane,
  type HeaderPolicy,
  type PinnedTarget,
  type TlsIdentity,
  type Transport,
  type UpstreamLane,
} from '@postern/proxy-runtime';
import type { Action, Integration } from '@postern/schemas';
import { type AllowVerdict, compileTargetPolicy, type TargetPolicy } from '@postern/ssrf-guard';
import type { CachedSecretReference, Secret } from '@postern/vault';
import type { OpenedCredential } from '../opened-credential.ts';
import { compileScorer, type ScorerEndpoint } from '../risk/scorer-endpoint.ts';
import type { EchoMatcher } from '../scrub/echo-matcher.ts';
import { createTenantBounds, type TenantBounds } from '../tenants/tenant-bounds.ts';
import { compileTokenEndpoint, type TokenEndpoint } from '../tokens/token-endpoint.ts';
import type { EffectiveDirectory, EffectiveRecord } from './effective-directory.ts';
import { type FactsRead, factsRead } from './facts-read.ts';
import { mapInSlices } from './map-in-slices.ts';
import { cachedSecret } from './secret-version.ts';

/** One tenant's configuration, ready to judge calls. Immutable but for the lanes' counters; a change makes a new one. */
export interface CompiledTenant {
  readonly name: string;
  readonly revision: number;
  readonly policy: CompiledPolicy;
  /** What its conditions look at: all else about a call need not be found out. */
  readonly reads: FactsRead;
  /** Tells whether the policy must be compiled anew: identities and versions of all that it was made of. */
  readonly policySource: string;
  readonly integrations: ReadonlyMap<string, CompiledIntegration>;
  /** Those that a host leads to, by the first part of it in lower case. */
  readonly hosts: ReadonlyMap<string, CompiledIntegration>;
  readonly secrets: ReadonlyMap<string, TenantSecret>;
  /** Who else is asked how risky a call is; undefined: nobody. */
  readonly scorer: ScorerEndpoint | undefined;
  /** Nobody of the tenant is served. */
  readonly disabled: boolean;
  /** undefined: an instance owner has bounded nothing. */
  readonly bounds: TenantBounds | undefined;
}

/** The integration that the first part of a host names, spelled as ever. */
export function integrationOfHost(tenant: CompiledTenant, name: string): CompiledIntegration | undefined {
  return tenant.hosts.get(name.toLowerCase());
}

/**
 * By lower-case name, for hosts are the same in any case. Where names differ in case alone, the one in lower case has the host, and
 * without one neither.
 */
function byHost(integrations: readonly CompiledIntegration[]): Map<string, CompiledIntegration> {
  const hosts = new Map<string, CompiledIntegration>();
  const doubled = new Set<string>();
  for (const integration of integrations) {
    const host = integration.name.toLowerCase();
    if (hosts.has(host)) doubled.add(host);
    hosts.set(host, integration);
  }
  for (const host of doubled) hosts.delete(host);
  for (const integration of integrations) {
    if (doubled.has(integration.name)) hosts.set(integration.name, integration);
  }
  return hosts;
}

/** A secret as one version of the configuration knows it. */
export interface TenantSecret {
  readonly record: SecretRecord;
  /** Of the version that was active then. */
  readonly reference: CachedSecretReference;
}

/** One integration with everything precomputed that does not depend on the call. */
export interface CompiledIntegration {
  readonly tenant: string;
  readonly name: string;
  /** With what its template gives it. */
  readonly spec: Integration;
  /** Identity and version of the record it was made of. */
  readonly source: string;
  readonly canonicaliser: TargetCanonicaliser;
  /** The exact hosts it may call. */
  readonly hosts: readonly string[];
  readonly actions: ActionMatcher<Action>;
  readonly targetPolicy: TargetPolicy;
  readonly credential: CompiledCredential;
  /** What the credential makes of its opened secret, as long as that lives and no longer. */
  readonly opened: WeakMap<Secret, OpenedCredential>;
  /** What answers are searched for, as long as what was injected lives and no longer. */
  readonly matchers: WeakMap<AppliedCredential, EchoMatcher>;
  /** Of a credential that mints tokens: where it asks for them. */
  readonly tokenEndpoint: TokenEndpoint | undefined;
  readonly tls: TlsIdentity | undefined;
  readonly headerPolicy: HeaderPolicy;
  readonly lane: UpstreamLane;
  /** The targets of its verdicts, as long as those hold. */
  readonly pinned: WeakMap<AllowVerdict, PinnedTarget>;
}

/**
 * Compiles a snapshot. What has not changed since `former` is taken over, so that an edit of one agent costs no compilation of a
 * thousand rules, and a lane keeps counting the calls that run on it. Many integrations are compiled in slices, between which calls are
 * served.
 *
 * @throws PolicyError, CanonicalUrlError, TypeError when the stored configuration is not usable.
 */
export type CompileTenant = (
  snapshot: EffectiveDirectory,
  former: CompiledTenant | undefined,
) => Promise<CompiledTenant>;

export function createTenantCompiler(transport: Transport): CompileTenant {
  const boundsOf = createTenantBounds();
  return async (snapshot, former) => {
    const integrations = await mapInSlices(snapshot.integrations, (record) => {
      const known = former?.integrations.get(record.name);
      return known?.source === sourceOf(record) ? known : compileIntegration(record, transport, known);
    });
    const rules = [...snapshot.integrations, ...snapshot.globalRules, ...snapshot.rules].map(sourceOf);
    const policySource = [...rules, `risk@${snapshot.settings.version}`].join();
    const policy = former?.policySource === policySource ? former.policy : compileRules(snapshot);
    return {
      name: snapshot.tenant,
      revision: snapshot.revision,
      policySource,
      policy,
      reads: factsRead(policy),
      integrations: new Map(integrations.map((integration) => [integration.name, integration])),
      hosts: byHost(integrations),
      secrets: new Map(snapshot.secrets.map((record) => [record.name, tenantSecret(record)])),
      scorer: scorerOf(snapshot, transport, former?.scorer),
      disabled: snapshot.disabledAt !== undefined,
      bounds: boundsOf(snapshot.tenant, snapshot.limits),
    };
  };
}

/** The former one while nothing of it has changed: what is known of its health goes on counting. */
function scorerOf(
  { tenant, settings }: EffectiveDirectory,
  transport: Transport,
  former: ScorerEndpoint | undefined,
): ScorerEndpoint | undefined {
  const { scorer } = settings.risk;
  if (scorer === null) return undefined;
  const isSame = former !== undefined && JSON.stringify(former.spec) === JSON.stringify(scorer);
  return isSame ? former : compileScorer(tenant, scorer, transport);
}

function tenantSecret(record: SecretRecord): TenantSecret {
  const { tenant, name, activeVersion: version } = record;
  return { record, reference: cachedSecret({ tenant, name, version }) };
}

function sourceOf(record: { readonly tenant: string; readonly id: string; readonly version: number }): string {
  return `${record.tenant}/${record.id}@${record.version}`;
}

function compileRules(snapshot: EffectiveDirectory): CompiledPolicy {
  const bundle = policyBundle({
    integrations: snapshot.integrations.map((record) => record.spec),
    rules: snapshot.rules.map((record) => record.spec),
    globalRules: snapshot.globalRules.map((record) => record.spec),
    risk: snapshot.settings.risk,
  });
  // References were checked when the rules were saved; an agent or integration removed since must not stop the tenant.
  return compilePolicy(bundle, { checkReferences: false });
}

function compileIntegration(
  record: EffectiveRecord,
  transport: Transport,
  former: CompiledIntegration | undefined,
): CompiledIntegration {
  const { tenant, spec } = record;
  const canonicaliser = createTargetCanonicaliser(spec.baseUrl);
  const { base } = canonicaliser;
  const credential = compileCredential(spec.credential);
  const hosts = spec.hosts ?? [canonicaliser.base.host];
  return {
    tenant,
    name: spec.name,
    spec,
    source: sourceOf(record),
    canonicaliser,
    hosts,
    actions: compileActions(spec.actions),
    targetPolicy: compileTargetPolicy({
      hosts,
      ports: spec.network.ports ?? [base.port],
      schemes: spec.network.schemes ?? [base.scheme],
      unsafeAllowAddresses: spec.network.unsafeAllowAddresses,
    }),
    credential,
    opened: new WeakMap(),
    matchers: new WeakMap(),
    tokenEndpoint:
      credential.shape === 'minting' ? compileTokenEndpoint(tenant, spec, credential, transport) : undefined,
    tls: spec.tls.ca === null ? undefined : { ca: spec.tls.ca },
    headerPolicy: compileHeaderPolicy({
      requestAllow: spec.headers.request.allow,
      responseAllow: spec.headers.response.allow,
      requestRemoved: removedHeaders(spec, credential),
    }),
    lane: createLane({
      transport,
      timeouts: spec.timeouts,
      limits: spec.limits,
      baseUrl: spec.baseUrl,
      retry: spec.retry,
      breaker: spec.breaker,
      limitSignals: spec.limitSignals,
      former: former !== undefined && isSameUpstream(former.spec, spec) ? former.lane : undefined,
    }),
    pinned: new WeakMap(),
  };
}

/** What the gateway itself writes: the credential's headers, and that of the upstream's own idempotency keys. */
function removedHeaders({ idempotency }: Integration, credential: CompiledCredential): readonly string[] {
  const { upstreamHeader } = idempotency;
  return upstreamHeader === null
    ? credential.writesHeaders
    : [...credential.writesHeaders, upstreamHeader.toLowerCase()];
}

/** Whether what is known of the upstream's health under the former configuration holds under the new one. */
function isSameUpstream(former: Integration, spec: Integration): boolean {
  return UPSTREAM_MEMBERS.every((name) => JSON.stringify(former[name]) === JSON.stringify(spec[name]));
}

const UPSTREAM_MEMBERS = ['baseUrl', 'hosts', 'network', 'tls', 'credential'] as const;
