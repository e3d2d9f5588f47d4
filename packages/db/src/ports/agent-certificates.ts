import type { AgentRecord } from './agents.ts';
import type { DbContext, Page, PageRequest } from './context.ts';

/** The longest life of a client certificate: 30 days. */
export const CERTIFICATE_LIFE_MS_MAX = 30 * 86_400_000;

/** A client certificate that was issued for an agent; its private key was never here. It outlives its agent, so that a revoked one stays so. */
export interface AgentCertificateRecord {
  readonly tenant: string;
  readonly agentId: string;
  /** Lower-case hex. Unique in the tenant. */
  readonly serial: string;
  /** SHA-256 of the DER form, lower-case hex. Unique over all tenants. */
  readonly fingerprint: string;
  readonly sanUri: string;
  readonly notBefore: number;
  readonly notAfter: number;
  readonly createdAt: number;
  readonly revoked?: { readonly at: number; readonly by: string; readonly reason?: string };
}

export type NewAgentCertificate = Omit<AgentCertificateRecord, 'createdAt' | 'revoked'>;

/** Part of `AgentsPort`: how agents are known by certificates. */
export interface AgentCertificatesPort {
  /** Gives the agent its one SAN URI, or takes it away. Fails `conflict` when another agent of any tenant has it, `not_found`. */
  setSanUri(tenant: string, agentId: string, sanUri: string | undefined, context?: DbContext): Promise<void>;
  getSanUri(tenant: string, agentId: string, context?: DbContext): Promise<string | undefined>;
  /** Over all tenants: the URI is all that a certificate tells. Disabled agents too. */
  getBySanUri(sanUri: string, context?: DbContext): Promise<AgentRecord | undefined>;
  /** Over all tenants. Fails `invalid` when several tenants have an agent of that id. */
  resolveTenantByAgent(agentId: string, context?: DbContext): Promise<string | undefined>;

  /**
   * Records what the authority has issued. Fails `not_found` without the agent, `conflict` when serial or fingerprint is known, `invalid`
   * when the URI is not the agent's or the life is longer than 30 days.
   */
  issueCertificate(certificate: NewAgentCertificate, context?: DbContext): Promise<AgentCertificateRecord>;
  /** Over all tenants; revoked and expired ones too. Whoever judges one also holds its `agentId` against the agent of its URI. */
  findCertificate(fingerprint: string, context?: DbContext): Promise<AgentCertificateRecord | undefined>;
  /** Newest first, by time then serial. */
  listCertificates(
    tenant: string,
    filter: { readonly agentId?: string },
    page: PageRequest,
    context?: DbContext,
  ): Promise<Page<AgentCertificateRecord>>;
  /** Conditional on not being revoked yet; false when it was, or is not there. Ends the sessions that are bound to it in the same transaction. */
  revokeCertificate(
    tenant: string,
    serial: string,
    revocation: { readonly at: number; readonly by: string; readonly reason?: string },
    context?: DbContext,
  ): Promise<boolean>;
}
