import type { AdminRole } from '@postern/db/ports';

/** Who makes a request of the control plane, and for which tenant. */
export interface Actor {
  readonly name: string;
  readonly role: AdminRole;
  /** The tenant the request is about. */
  readonly tenant: string;
  /** May set what reaches over tenants or opens the machine: `global`, `unsafe…`, `listen`. */
  readonly isInstanceOwner: boolean;
}

/** The name of the bootstrap owner, which no administrator can have. */
export const BOOTSTRAP_NAME = 'bootstrap';

/** What a route asks of its caller. */
export const PERMISSIONS = ['read', 'write', 'export', 'instance', 'approvals', 'decide', 'resolve'] as const;
export type Permission = (typeof PERMISSIONS)[number];

/**
 * Specification section 7. `instance` is for owners of the whole instance alone. `approvals` reads them, their grants and their events,
 * which is all that an approver reads; `decide` is the word on them, `resolve` that on claims.
 */
const ROLE_PERMISSIONS: Record<AdminRole, readonly Permission[]> = {
  owner: ['read', 'write', 'export', 'instance', 'approvals', 'decide', 'resolve'],
  admin: ['read', 'write', 'export', 'approvals', 'decide', 'resolve'],
  approver: ['approvals', 'decide'],
  auditor: ['read', 'export', 'approvals'],
  operator: ['read', 'approvals', 'resolve'],
};

export function mayDo(actor: Actor, permission: Permission): boolean {
  if (permission === 'instance' && !actor.isInstanceOwner) return false;
  return ROLE_PERMISSIONS[actor.role].includes(permission);
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set on all routes under `/v1` before the body is read. */
    actor: Actor;
  }
  interface FastifyContextConfig {
    permission?: Permission;
  }
}
