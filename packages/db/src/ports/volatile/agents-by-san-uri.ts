import type { CachedRead } from './cached-read.ts';

/** Agents by the URI in their client certificate, read through; at most `VERIFIED_MS_MAX` old. */
export interface AgentsBySanUriPort {
  /** As it was read last, or as `read` reads it now; fails only as `read` does, and `invalid` for empty identifiers. */
  getOrRead<T>(tenant: string, sanUri: string, source: CachedRead<T>): Promise<T | undefined>;
  /** After the agent or its certificate has changed. Atomic; fails `unavailable`, then the old one is answered until its time is over. */
  drop(tenant: string, sanUri: string): Promise<void>;
  dropTenant(tenant: string): Promise<void>;
}
