import type { Agent, Integration, IntegrationInput, KeyScope, Rule, Template, ValidationIssue } from '@postern/schemas';

/** Times are ISO 8601 in UTC. */
interface Stamps {
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** What made an object: a configuration document, or the API. */
interface Made {
  readonly origin: 'config' | 'api';
}

export interface ApiPage<T> {
  readonly items: readonly T[];
  readonly nextCursor?: string;
}

export interface PageQuery {
  /** 1 to 100; default 50. */
  readonly limit?: number;
  readonly cursor?: string;
}

export type ApiAdminRole = 'owner' | 'admin' | 'approver' | 'auditor' | 'operator';

export interface ApiAdmin {
  readonly id: string;
  readonly name: string;
  readonly role: ApiAdminRole;
  /** Absent: the whole instance. */
  readonly tenant?: string;
  readonly groups: readonly string[];
  readonly expiresAt?: string;
  readonly revokedAt?: string;
  readonly createdAt: string;
}

export interface NewAdmin {
  readonly name: string;
  readonly role: ApiAdminRole;
  readonly tenant?: string;
  readonly groups?: readonly string[];
  readonly expiresAt?: string;
}

/** What can be changed of an administrator. */
export interface AdminEdit {
  readonly groups: readonly string[];
}

export type ApiAgent = Agent & Stamps & Made & { readonly id: string; readonly lastUsedAt?: string };
export type NewAgent = Partial<Agent> & { readonly name: string };

export interface ApiAgentKey extends Made {
  /** The public part of the key. */
  readonly id: string;
  readonly scopes: readonly KeyScope[];
  readonly expiresAt?: string;
  readonly revokedAt?: string;
  readonly createdAt: string;
  readonly lastUsedAt?: string;
}

/** `key` is told this once. */
export interface IssuedKey {
  readonly id: string;
  readonly key: string;
  readonly expiresAt: string | null;
  readonly scopes: readonly KeyScope[];
}

export type ApiIntegration = Integration & Stamps & Made & { readonly id: string };
export type NewIntegration = IntegrationInput;

export type ApiTemplate = Template & {
  /** `name@version`. */
  readonly id: string;
  /** It came with the program; then `origin` and `createdAt` are absent. */
  readonly builtin: boolean;
  /** SHA-256 of the RFC 8785 form, hex. */
  readonly contentHash: string;
  readonly origin?: Made['origin'];
  readonly createdAt?: string;
};

export interface ApiSecret extends Stamps, Made {
  readonly id: string;
  readonly name: string;
  /** Absent: all. */
  readonly environments?: readonly string[];
  readonly activeVersion: number;
}

export interface SecretValue {
  readonly value: string;
  /** Absent: as before, for a new secret all; null: all. */
  readonly environments?: readonly string[] | null;
}

export interface ApiSecretVersion {
  readonly version: number;
  readonly active: boolean;
  readonly createdAt: string;
}

export type ApiRule = Omit<Rule, 'disabled'> &
  Stamps &
  Made & { readonly disabled: boolean; readonly disabledAt?: string };

export interface EventQuery extends PageQuery {
  readonly requestId?: string;
  readonly agent?: string;
  readonly integration?: string;
  readonly action?: string;
  readonly decision?: 'allow' | 'deny' | 'require_approval';
  readonly type?: string;
  /** ISO 8601, or milliseconds; inclusive. */
  readonly from?: string | number;
  /** Exclusive. */
  readonly to?: string | number;
}

export interface ApiChange {
  readonly kind: 'secret' | 'template' | 'integration' | 'agent' | 'rule' | 'global_rule' | 'risk' | 'notification';
  readonly name: string;
  readonly op: 'create' | 'update' | 'delete';
  readonly diff: readonly { readonly path: string; readonly from: unknown; readonly to: unknown }[];
}

export interface ApplyAnswer {
  readonly changes: readonly ApiChange[];
  readonly warnings: readonly ValidationIssue[];
}

export interface ApiStats {
  readonly tenant: string;
  readonly agents: number;
  readonly integrations: number;
  readonly secrets: number;
  readonly rules: number;
  readonly auditEntries: number;
}

export interface ApiNode {
  readonly name: string;
  readonly version: string;
  readonly isAlive: boolean;
  readonly startedAt: string;
  readonly seenAt: string;
  /** How far its clock is ahead of the database's. */
  readonly clockAheadMs: number;
  readonly hasRedis: boolean;
  readonly keyIds: readonly string[];
}

export interface ApiNodes {
  readonly items: readonly ApiNode[];
  readonly database: { readonly findings: readonly { readonly code: string; readonly message: string }[] };
}

export interface ApiReadiness {
  readonly ready: boolean;
  readonly dependencies: Readonly<Record<string, string>>;
}
