/** Gives the addresses of a name, or rejects. `ttlSeconds` absent: not to be kept longer than a second. */
export type Resolve = (name: string) => Promise<Resolution>;

export interface Resolution {
  readonly addresses: readonly string[];
  readonly ttlSeconds?: number | undefined;
}

/** `localhost` and names below it are the loopback address and are never asked of anybody (RFC 6761 section 6.3). */
const LOOPBACK: Resolution = { addresses: ['127.0.0.1'], ttlSeconds: 60 };

/** Resolves a canonical name within `timeoutMs`. Rejects when that fails, takes too long or gives no address. */
export async function resolveName(name: string, resolve: Resolve, timeoutMs: number): Promise<Resolution> {
  if (name === 'localhost' || name.endsWith('.localhost')) return LOOPBACK;
  const overdue = Promise.withResolvers<never>();
  const timer = setTimeout(() => overdue.reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  try {
    const resolution = await Promise.race([resolve(name), overdue.promise]);
    if (!Array.isArray(resolution?.addresses) || resolution.addresses.length === 0) {
      throw new Error('the name has no address');
    }
    return resolution;
  } finally {
    clearTimeout(timer);
  }
}
