import { createTargetCanonicaliser, type TargetCanonicaliser } from '@postern/canonicalizer';
import { type AppliedCredential, type CompiledCredential, compileCredential } from '@postern/credentials';
import type { IntegrationRecord, SecretRecord, TenantDirectory } from '@postern/db/ports';
import { type ActionMatcher, type CompiledPolicy, compileActions, compilePolicy } from '@postern/policy';
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
import { cachedSecret } from './secret-version.ts';

/** One tenant's configuration, ready to judge calls. Immutable but for the lanes' counters; a change makes a new one. */
export interface CompiledTenant {
  readonly name: string;
  readonly revision: number;
  readonly policy: CompiledPolicy;
  /** Tells whether the policy must be compiled anew: identities and versions of all that it was made of. */
  readonly policySource: string;
  readonly integrations: ReadonlyMap<string, CompiledIntegration>;
  readonly secrets: ReadonlyMap<string, TenantSecret>;
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
  readonly spec: Integration;
  /** Identity and version of the record it was made of. */
  readonly source: string;
  readonly canonicaliser: TargetCanonicaliser;
  /** The exact hosts it may call. */
  readonly hosts: readonly string[];
  readonly actions: ActionMatcher<Action>;
  readonly targetPolicy: TargetPolicy;
  readonly credential: CompiledCredential;
  /** What the credential adds to a call, as long as the opened secret lives and no longer. */
  readonly applied: WeakMap<Secret, AppliedCredential>;
  readonly tls: TlsIdentity | undefined;
  readonly headerPolicy: HeaderPolicy;
  readonly lane: UpstreamLane;
  /** The targets of its verdicts, as long as those hold. */
  readonly pinned: WeakMap<AllowVerdict, PinnedTarget>;
}

/**
 * Compiles a snapshot. What has not changed since `former` is taken over, so that an edit of one agent costs no compilation of a
 * thousand rules, and a lane keeps counting the calls that run on it.
 *
 * @throws PolicyError, CanonicalUrlError, TypeError when the stored configuration is not usable.
 */
export type CompileTenant = (snapshot: TenantDirectory, former: CompiledTenant | undefined) => CompiledTenant;

export function createTenantCompiler(transport: Transport): CompileTenant {
  return (snapshot, former) => {
    const integrations = snapshot.integrations.map((record) => {
      const known = former?.integrations.get(record.name);
      return known?.source === sourceOf(record) ? known : compileIntegration(record, transport);
    });
    const policySource = [...snapshot.integrations, ...snapshot.globalRules, ...snapshot.rules].map(sourceOf).join();
    return {
      name: snapshot.tenant,
      revision: snapshot.revision,
      policySource,
      policy: former?.policySource === policySource ? former.policy : compileRules(snapshot),
      integrations: new Map(integrations.map((integration) => [integration.name, integration])),
      secrets: new Map(snapshot.secrets.map((record) => [record.name, tenantSecret(record)])),
    };
  };
}

function tenantSecret(record: SecretRecord): TenantSecret {
  const { tenant, name, activeVersion: version } = record;
  return { record, reference: cachedSecret({ tenant, name, version }) };
}

function sourceOf(record: { readonly tenant: string; readonly id: string; readonly version: number }): string {
  return `${record.tenant}/${record.id}@${record.version}`;
}

function compileRules(snapshot: TenantDirectory): CompiledPolicy {
  const bundle = {
    integrations: snapshot.integrations.map((record) => record.spec),
    rules: snapshot.rules.map((record) => record.spec),
    global: { rules: snapshot.globalRules.map((record) => record.spec) },
  };
  // References were checked when the rules were saved; an agent or integration removed since must not stop the tenant.
  return compilePolicy(bundle, { checkReferences: false });
}

function compileIntegration(record: IntegrationRecord, transport: Transport): CompiledIntegration {
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
    applied: new WeakMap(),
    tls: spec.tls.ca === null ? undefined : { ca: spec.tls.ca },
    headerPolicy: compileHeaderPolicy({
      requestAllow: spec.headers.request.allow,
      responseAllow: spec.headers.response.allow,
      requestRemoved: credential.writesHeader === undefined ? [] : [credential.writesHeader],
    }),
    lane: createLane({ transport, timeouts: spec.timeouts, limits: spec.limits, baseUrl: spec.baseUrl }),
    pinned: new WeakMap(),
  };
}
