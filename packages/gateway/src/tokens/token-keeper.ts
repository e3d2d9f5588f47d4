import type { MintingCredential } from '@postern/credentials';
import type { Rejection } from '@postern/schemas';
import type { CachedSecretReference } from '@postern/vault';
import type { CompiledIntegration, CompiledTenant } from '../directory/compiled-tenant.ts';
import { cachedSecret, secretVersion } from '../directory/secret-version.ts';
import type { CallLog, CallMetrics } from '../gateway.ts';
import type { CredentialState } from './credential-state.ts';
import type { HeldToken, MintClocks } from './held-token.ts';
import { createMint, type Mint, type MintOptions } from './mint-token.ts';
import { SecretRotation } from './secret-rotation.ts';
import type { StoreRotatedSecret } from './store-rotated-secret.ts';
import { TokenEntry } from './token-entry.ts';
import { TokenFailure, tokenRejection } from './token-failure.ts';

export interface TokenKeeperOptions extends Omit<MintOptions, 'clock' | 'rotation'> {
  readonly storeRotatedSecret: StoreRotatedSecret;
  readonly log: Pick<CallLog, 'error'>;
  readonly metrics: Pick<CallMetrics, 'countCredentialError'>;
  /** A token endpoint said that a secret which its use replaces is worthless for good. Must not throw. */
  readonly onDeadSecret?: (tenant: string, secret: string) => void;
  /** Milliseconds that never go back. Default: the process's monotonic clock. */
  readonly clock?: () => number;
  /** 0 up to 1; spreads renewals and waits. Default `Math.random`. */
  readonly random?: () => number;
}

/** A minting credential with the secrets that one version of the configuration gives it. */
export interface TokenDemand {
  readonly integration: CompiledIntegration;
  readonly credential: MintingCredential;
  readonly secret: CachedSecretReference;
  /** Of kinds that need a second one. */
  readonly clientSecret: CachedSecretReference | undefined;
}

/**
 * Minted tokens, each for one integration of one tenant under one version of its definition and its secrets, and shared under nothing less. One
 * request is under way for a credential, whoever asks meanwhile waits for it; a token is renewed ahead of its end while it still serves. What
 * may not be tried again soon, or ever, is refused at once (`token-entry.ts`).
 */
export class TokenKeeper {
  readonly #options: TokenKeeperOptions;
  readonly #clocks: MintClocks;
  readonly #rotation: SecretRotation;
  readonly #mint: Mint;
  /** By the names of the secrets' versions: entries of a former configuration go with its integration. */
  readonly #entries = new WeakMap<CompiledIntegration, Map<string, TokenEntry>>();
  /** The newest entry of each integration, by tenant and name. */
  readonly #newest = new Map<string, TokenEntry>();
  readonly #flights = new Set<Promise<unknown>>();
  #isClosed = false;

  constructor(options: TokenKeeperOptions) {
    const { clock = () => performance.now(), random = Math.random } = options;
    this.#options = options;
    this.#clocks = { now: options.path.now, clock, random };
    this.#rotation = new SecretRotation(options.storeRotatedSecret);
    const { path, secrets, nodeTurns } = options;
    this.#mint = createMint({ path, secrets, rotation: this.#rotation, nodeTurns, clock });
  }

  /**
   * The token for a call, at once while one is held.
   *
   * @throws Rejection `credential_unavailable`, `audit_unavailable`.
   */
  get(demand: TokenDemand): HeldToken | Promise<HeldToken> {
    const entry = this.#entryOf(demand);
    const { held } = entry;
    if (held !== undefined) {
      if (held.isDue && entry.flight === undefined && entry.setback === undefined) this.#renew(entry, demand);
      return held;
    }
    if (entry.flight !== undefined) return entry.flight;
    const { setback } = entry;
    if (setback !== undefined) throw tokenRejection(setback.waitMs);
    return this.#start(entry, demand);
  }

  /** To be called when a newer version of a tenant's configuration comes into use: what was minted under what is no more is forgotten. */
  forgetStale(former: CompiledTenant, current: CompiledTenant): void {
    for (const integration of former.integrations.values()) {
      const entries = this.#entries.get(integration);
      if (entries === undefined) continue;
      const isSame = current.integrations.get(integration.name) === integration;
      const standing = isSame ? entries.get(keyOfTenant(integration, current) ?? '') : undefined;
      for (const [key, entry] of entries) {
        if (entry === standing) continue;
        entry.drop();
        entries.delete(key);
        const place = placeOf(integration);
        if (this.#newest.get(place) === entry) this.#newest.delete(place);
      }
    }
  }

  /** undefined: nothing was minted since the start, or since secret or integration changed. */
  stateOf(tenant: string, integration: string): CredentialState | undefined {
    return this.#newest.get(`${tenant}\n${integration}`)?.state();
  }

  /** Begins nothing new and waits for what is under way: an answer may hold a secret that must be stored. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled([...this.#flights]);
    await this.#rotation.close();
  }

  #entryOf(demand: TokenDemand): TokenEntry {
    const { integration } = demand;
    let entries = this.#entries.get(integration);
    if (entries === undefined) {
      entries = new Map();
      this.#entries.set(integration, entries);
    }
    const key = keyOf(demand.secret, demand.clientSecret);
    let entry = entries.get(key);
    if (entry === undefined) {
      entry = new TokenEntry(secretVersion(demand.secret), this.#clocks);
      entries.set(key, entry);
      this.#newest.set(placeOf(integration), entry);
    }
    return entry;
  }

  #renew(entry: TokenEntry, demand: TokenDemand): void {
    if (!this.#isClosed) this.#start(entry, demand).catch(() => undefined);
  }

  #start(entry: TokenEntry, demand: TokenDemand): Promise<HeldToken> {
    if (this.#isClosed) throw tokenRejection(undefined);
    const flight = this.#fly(entry, demand).finally(() => {
      entry.flight = undefined;
      this.#flights.delete(flight);
    });
    entry.flight = flight;
    this.#flights.add(flight);
    return flight;
  }

  async #fly(entry: TokenEntry, demand: TokenDemand): Promise<HeldToken> {
    try {
      const minted = await this.#mint(demand, entry);
      this.#noteRotation(entry, demand);
      const token = entry.hold(minted);
      // Its whole life went by on the way here.
      if (token.leftMs <= 0) throw new TokenFailure('answer_invalid');
      return token;
    } catch (error) {
      this.#noteRotation(entry, demand);
      if (error instanceof TokenFailure) throw this.#fail(entry, demand, error);
      throw error;
    }
  }

  /** The configuration will name the new version in a moment: the same token serves it. */
  #noteRotation(entry: TokenEntry, { integration, clientSecret }: TokenDemand): void {
    this.#entries.get(integration)?.set(keyOf(cachedSecret(entry.secret), clientSecret), entry);
  }

  #fail(entry: TokenEntry, { integration, credential }: TokenDemand, failure: TokenFailure): Rejection {
    entry.fail(failure);
    const isDead = failure.isPermanent && failure.code === 'invalid_grant' && credential.source.rotates;
    if (isDead) this.#options.onDeadSecret?.(integration.tenant, credential.secretName);
    this.#options.metrics.countCredentialError(failure.code);
    this.#options.log.error(
      failure,
      `mint a token for integration ${integration.name} of tenant ${integration.tenant}`,
    );
    return tokenRejection(entry.setback?.waitMs);
  }
}

function placeOf({ tenant, name }: CompiledIntegration): string {
  return `${tenant}\n${name}`;
}

function keyOf(secret: CachedSecretReference, clientSecret: CachedSecretReference | undefined): string {
  return clientSecret === undefined ? secret.name : `${secret.name} ${clientSecret.name}`;
}

function keyOfTenant({ credential }: CompiledIntegration, { secrets }: CompiledTenant): string | undefined {
  if (credential.shape !== 'minting') return undefined;
  const secret = secrets.get(credential.secretName)?.reference;
  if (secret === undefined) return undefined;
  const { clientSecretName } = credential.source;
  const clientSecret = clientSecretName === undefined ? undefined : secrets.get(clientSecretName)?.reference;
  return keyOf(secret, clientSecret);
}
