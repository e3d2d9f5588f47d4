import type { DbContext, Page, PageRequest } from './context.ts';

export const ADMIN_ROLES = ['owner', 'admin', 'approver', 'auditor', 'operator'] as const;
export type AdminRole = (typeof ADMIN_ROLES)[number];

/** An administrator by token. `tenant` undefined: of the whole instance. */
export interface AdminRecord {
  readonly id: string;
  readonly name: string;
  readonly tenant?: string;
  readonly role: AdminRole;
  readonly groups: readonly string[];
  /** base64 of the HMAC-SHA-256 of the token; the token itself is stored nowhere. */
  readonly tokenDigest: string;
  readonly tokenKeyId: string;
  readonly expiresAt?: number;
  readonly revokedAt?: number;
  readonly createdAt: number;
}

export interface AdminsPort {
  /** Fails `conflict` when the name is taken (names are unique over the instance). */
  create(admin: Omit<AdminRecord, 'id' | 'createdAt' | 'revokedAt'>, context?: DbContext): Promise<AdminRecord>;
  getByName(name: string, context?: DbContext): Promise<AdminRecord | undefined>;
  /** Revoked ones too; whether it counts is the caller's judgement. */
  findByTokenDigest(tokenDigest: string, context?: DbContext): Promise<AdminRecord | undefined>;
  /** `tenant` undefined lists all. By name, ascending. */
  list(tenant: string | undefined, page: PageRequest, context?: DbContext): Promise<Page<AdminRecord>>;
  /** Replaces the groups, which count for the votes given from then on. Fails `not_found`. */
  setGroups(name: string, groups: readonly string[], context?: DbContext): Promise<AdminRecord>;
  revoke(name: string, at: number, context?: DbContext): Promise<boolean>;
}
