import type { Agent, KeyScope } from '@postern/schemas';
import type { AgentCertificatesPort } from './agent-certificates.ts';
import type { DbContext, Origin, Page, PageRequest } from './context.ts';

export interface AgentRecord extends Agent {
  readonly tenant: string;
  readonly id: string;
  readonly origin: Origin;
  /** Counts changes from 1; the ETag of the control plane. */
  readonly version: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly lastUsedAt?: number;
}

/** `id` is the key's public id (10 characters, unique over all tenants); the key itself is stored nowhere. */
export interface AgentKeyRecord {
  readonly tenant: string;
  readonly id: string;
  readonly agentId: string;
  /** base64 of the HMAC-SHA-256 of the whole key. */
  readonly digest: string;
  /** Which derived key made the digest. */
  readonly digestKeyId: string;
  readonly scopes: readonly KeyScope[];
  readonly expiresAt?: number;
  readonly revokedAt?: number;
  readonly createdAt: number;
  readonly lastUsedAt?: number;
  readonly origin: Origin;
}

export type NewAgentKey = Omit<AgentKeyRecord, 'createdAt' | 'revokedAt' | 'lastUsedAt'>;

export interface AgentsPort extends AgentCertificatesPort {
  create(tenant: string, agent: Agent, origin: Origin, context?: DbContext): Promise<AgentRecord>;
  getById(tenant: string, id: string, context?: DbContext): Promise<AgentRecord | undefined>;
  getByName(tenant: string, name: string, context?: DbContext): Promise<AgentRecord | undefined>;
  /** By name, ascending. */
  listByTenant(tenant: string, page: PageRequest, context?: DbContext): Promise<Page<AgentRecord>>;
  /** Replaces the agent's members; `ifVersion` makes it conditional (`stale`). The name is immutable. `origin` given: takes it over. */
  update(
    tenant: string,
    id: string,
    agent: Agent,
    options: { ifVersion?: number; origin?: Origin },
    context?: DbContext,
  ): Promise<AgentRecord>;
  /** Removes the agent and its keys. Fails `not_found`. */
  remove(tenant: string, id: string, context?: DbContext): Promise<void>;

  createKey(key: NewAgentKey, context?: DbContext): Promise<AgentKeyRecord>;
  listKeys(tenant: string, agentId: string, context?: DbContext): Promise<readonly AgentKeyRecord[]>;
  /** Conditional on not being revoked yet; false when it was revoked or is not there. */
  revokeKey(tenant: string, keyId: string, at: number, context?: DbContext): Promise<boolean>;
  /** The one lookup over all tenants: a key's public id leads to key and agent. One point query; runs beside lists, never behind them. */
  findKey(keyId: string): Promise<{ key: AgentKeyRecord; agent: AgentRecord } | undefined>;
  /** Writes `lastUsedAt` of keys and their agents, never backwards; unknown ids are passed over. */
  touch(uses: readonly { tenant: string; keyId: string; agentId: string; at: number }[]): Promise<void>;

  /** The hosts that calls of the agent were sent to. */
  listHosts(tenant: string, agentId: string): Promise<readonly { host: string; seenAt: number }[]>;
  /** Writes when calls were sent to hosts, never backwards; unknown agents are passed over. */
  touchHosts(seen: readonly { tenant: string; agentId: string; host: string; at: number }[]): Promise<void>;
}
