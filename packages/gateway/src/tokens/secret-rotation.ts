import type { CompiledIntegration } from '../directory/compiled-tenant.ts';
import { cachedSecret, type SecretVersion } from '../directory/secret-version.ts';
import type { MintedToken } from './held-token.ts';
import { SecretLineage } from './secret-lineage.ts';
import type { StoreRotatedSecret } from './store-rotated-secret.ts';
import { TokenFailure } from './token-failure.ts';

/** What a token endpoint answered to a secret that it made worthless by that. */
export interface Rotation {
  readonly from: SecretVersion;
  readonly value: string;
  /** The access token that came with it. It never serves another integration than this. */
  readonly minted: MintedToken;
  readonly integration: CompiledIntegration;
}

interface Waiting extends Rotation {
  /** Once it could be stored. */
  stored?: SecretVersion;
  retry?: NodeJS.Timeout;
}

const RETRY_MS_FIRST = 500;
const RETRY_MS_MAX = 30_000;

/**
 * Secrets that are replaced by using them. A rotation is stored at once; where that fails it waits in memory, is tried again by a timer, by the
 * next mint and at the end of the program, and until then the endpoint is not asked again: what is stored is worthless. Mints of one secret, of
 * whatever integration, run one after the other.
 */
export class SecretRotation {
  readonly #store: StoreRotatedSecret;
  readonly #lineage = new SecretLineage();
  readonly #waiting = new Map<string, Waiting>();

  constructor(store: StoreRotatedSecret) {
    this.#store = store;
  }

  inTurn<T>(version: SecretVersion, task: () => Promise<T>): Promise<T> {
    return this.#lineage.inTurn(version, task);
  }

  /** The version to use for calls that mean `version`. */
  newest(version: SecretVersion): SecretVersion {
    return this.#lineage.newest(version);
  }

  /** Another node has rotated `from`. */
  learn(from: SecretVersion, to: SecretVersion): void {
    if (from.version !== to.version) this.#lineage.record(from, to);
  }

  /**
   * The rotation of this line of versions that waited to be stored, now that it is; undefined when there was none.
   *
   * @throws TokenFailure `store_failed`, `secret_replaced`.
   */
  async settleWaiting(version: SecretVersion): Promise<Rotation | undefined> {
    const waiting = this.#waiting.get(placeOf(version));
    if (waiting === undefined || !isSame(this.newest(waiting.from), this.newest(version))) return undefined;
    if (waiting.stored === undefined) await this.#storeNow(waiting);
    this.#forget(waiting);
    return waiting;
  }

  /** @throws TokenFailure `store_failed`, `secret_replaced`. */
  async store(rotation: Rotation): Promise<void> {
    try {
      await this.#storeNow(rotation);
    } catch (error) {
      const isWaiting = error instanceof TokenFailure && error.code === 'store_failed';
      if (isWaiting) this.#keep({ ...rotation }, RETRY_MS_FIRST);
      throw error;
    }
  }

  /** Tries what waits once more. */
  async close(): Promise<void> {
    const waiting = [...this.#waiting.values()].filter(({ stored }) => stored === undefined);
    await Promise.allSettled(
      waiting.map((rotation) => this.inTurn(rotation.from, () => this.settleWaiting(rotation.from))),
    );
    for (const { retry } of this.#waiting.values()) clearTimeout(retry);
  }

  async #storeNow(rotation: Waiting): Promise<void> {
    let stored: SecretVersion | undefined;
    try {
      stored = await this.#store(rotation.from, rotation.value);
    } catch (cause) {
      throw new TokenFailure('store_failed', { cause });
    }
    if (stored === undefined) {
      this.#forget(rotation);
      throw new TokenFailure('secret_replaced');
    }
    rotation.stored = stored;
    this.#lineage.record(rotation.from, stored);
  }

  #keep(rotation: Waiting, delayMs: number): void {
    this.#waiting.set(placeOf(rotation.from), rotation);
    rotation.retry = setTimeout(() => void this.#retry(rotation, delayMs), delayMs).unref();
  }

  async #retry(rotation: Waiting, delayMs: number): Promise<void> {
    await this.inTurn(rotation.from, async () => {
      if (this.#waiting.get(placeOf(rotation.from)) !== rotation || rotation.stored !== undefined) return;
      await this.#storeNow(rotation);
    }).catch(() => {
      if (this.#waiting.get(placeOf(rotation.from)) === rotation)
        this.#keep(rotation, Math.min(delayMs * 2, RETRY_MS_MAX));
    });
  }

  #forget(rotation: Waiting): void {
    clearTimeout(rotation.retry);
    if (this.#waiting.get(placeOf(rotation.from)) === rotation) this.#waiting.delete(placeOf(rotation.from));
  }
}

function placeOf({ tenant, name }: SecretVersion): string {
  return `${tenant}\n${name}`;
}

function isSame(left: SecretVersion, right: SecretVersion): boolean {
  return left.tenant === right.tenant && cachedSecret(left).name === cachedSecret(right).name;
}
