import type { DbContext } from './context.ts';

/** How a tenant's signed manifests are verified where nothing else is said. */
export interface CryptoVerificationDefaults {
  readonly tenant: string;
  /** Whether the times in a manifest must hold. */
  readonly requireTemporalValidity: boolean;
  /** 0 to 300. */
  readonly maxClockSkewSeconds: number;
  /** 0: nobody has set any, and the strict ones hold. */
  readonly version: number;
  readonly updatedAt?: number;
}

export const CLOCK_SKEW_SECONDS_MAX = 300;

export interface CryptoVerificationPort {
  /** `requireTemporalValidity` true and no skew until others are set. */
  getCryptoVerificationDefaults(tenant: string, context?: DbContext): Promise<CryptoVerificationDefaults>;
  /** `ifVersion` given: `stale` when others have been set meanwhile. Fails `invalid` for a skew out of bounds, `not_found` without the tenant. */
  setCryptoVerificationDefaults(
    tenant: string,
    defaults: Pick<CryptoVerificationDefaults, 'requireTemporalValidity' | 'maxClockSkewSeconds'> & {
      readonly ifVersion?: number;
    },
    context?: DbContext,
  ): Promise<CryptoVerificationDefaults>;
}
