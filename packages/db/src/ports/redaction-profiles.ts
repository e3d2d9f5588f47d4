import type { DbContext } from './context.ts';

/** What becomes of a value: as it is, `*`, a hash under the tenant's salt, nothing. */
export const REDACTION_ACTIONS = ['keep', 'mask', 'hash', 'drop'] as const;
export type RedactionAction = (typeof REDACTION_ACTIONS)[number];

/** The bounds of what a view of arguments may hold. */
export const REDACTION_BOUNDS = { depthMax: 5, itemsMax: 100, charactersMax: 512 } as const;

/** How a tenant's arguments are shown in the audit log. What is injected as a credential is never shown, whatever this says. */
export interface RedactionProfile {
  /** By the name of a member or of a path of them (`user.email`); unique. */
  readonly fields: readonly { readonly field: string; readonly action: RedactionAction }[];
  /** Of values that no field names. */
  readonly fallback: RedactionAction;
  /** 1 to 5. */
  readonly depthMax: number;
  /** 1 to 100, of each list and object. */
  readonly itemsMax: number;
  /** 1 to 512, of each text. */
  readonly charactersMax: number;
}

export interface RedactionProfileRecord {
  readonly tenant: string;
  readonly profile: RedactionProfile;
  readonly version: number;
  readonly updatedBy: string;
  readonly updatedAt: number;
}

export interface RedactionProfilesPort {
  /** undefined: the default profile of `@postern/audit` holds. */
  getRedactionProfile(tenant: string, context?: DbContext): Promise<RedactionProfileRecord | undefined>;
  /** `ifVersion` given (0: none is set yet): `stale` when another has been set meanwhile. Fails `invalid` out of bounds, `not_found` without the tenant. */
  setRedactionProfile(
    tenant: string,
    profile: RedactionProfile,
    by: { readonly updatedBy: string; readonly ifVersion?: number },
    context?: DbContext,
  ): Promise<RedactionProfileRecord>;
  /** Back to the default one; false when none was set. */
  removeRedactionProfile(tenant: string, context?: DbContext): Promise<boolean>;
}
