import { performance } from 'node:perf_hooks';
import { publicIdOf } from '@postern/auth';
import type { AgentKeyRecord, AgentRecord, AgentsPort, DirectoryPort } from '@postern/db/ports';
import { Rejection, type TenantLimits } from '@postern/schemas';
import { type AgentIdentity, makeIdentity } from './agent-identity.ts';
import type { CompiledIntegration, CompiledTenant, CompileTenant } from './compiled-tenant.ts';
import { withTemplates } from './effective-directory.ts';
import { KnownHosts } from './known-hosts.ts';

/** A verified caller and the one version of its tenant's configuration by which its call is judged from begin to end. */
export interface KnownCaller {
  readonly agent: AgentIdentity;
  readonly tenant: CompiledTenant;
  lastTouchedMs: number;
}

export interface DirectoryOptions {
  readonly directory: DirectoryPort;
  readonly agents: AgentsPort;
  readonly compileTenant: CompileTenant;
  /** True when `keyText` is the key whose record holds this digest; constant time. */
  readonly verifyKey: (keyText: string, digest: string, digestKeyId: string) => boolean;
  /** Told when a newer version of a tenant comes into use. */
  readonly onReplaced?: (former: CompiledTenant, current: CompiledTenant) => void;
  /** Told of tenants whose change was found in the store: this process's own too, a while after it was told of them. Must not throw. */
  readonly onFound?: ((tenants: readonly string[]) => void) | undefined;
  readonly onError: (error: unknown, doing: string) => void;
  readonly now: () => number;
  /** Milliseconds that never go back. Default: the process's monotonic clock. */
  readonly clock?: () => number;
  /** How long a call waits for the store. Default 2,000 ms. */
  readonly storeTimeoutMs?: number;
}

/** Without word from the store for longer than this, nothing cached is believed any more (specification, section 16). */
const CONFIRMED_FOR_MS = 2_000;
const POLL_MS = 500;
const STORE_TIMEOUT_MS = 2_000;
const KEYS_MAX = 100_000;
const TOUCH_EVERY_MS = 60_000;
const TOUCH_FLUSH_MS = 5_000;

interface FoundKey {
  readonly key: AgentKeyRecord;
  readonly agent: AgentRecord;
}

interface Slot {
  /** The version before, for what has not changed since. */
  readonly former: CompiledTenant | undefined;
  compiled?: CompiledTenant;
  loading?: Promise<CompiledTenant | undefined>;
}

/**
 * The data plane's view of agents and tenants: everything that decides a call, compiled and in memory.
 *
 * A tenant's slot is absent, loading, or compiled. Word of a change (from the control plane of this process at once, else from
 * a poll every half second) empties the slot; the next call loads it anew. A verified key is believed only together with the
 * compiled tenant it was verified under, so the same word makes every key of the tenant be read again. When the store has not
 * confirmed the revision for 2 s, calls wait for a confirmation, and are refused when none comes.
 */
export class Directory {
  readonly #options: DirectoryOptions;
  readonly #clock: () => number;
  readonly #slots = new Map<string, Slot>();
  readonly #keys = new Map<string, KnownCaller>();
  readonly #hosts: KnownHosts;
  readonly #touched = new Map<string, { tenant: string; keyId: string; agentId: string; at: number }>();
  #revision = 0;
  /** Counts words of change; what was read across one is not kept. */
  #changes = 0;
  #confirmedMs = Number.NEGATIVE_INFINITY;
  #refreshing: Promise<void> | undefined;
  #pollTimer: NodeJS.Timeout | undefined;
  #touchTimer: NodeJS.Timeout | undefined;

  constructor(options: DirectoryOptions) {
    this.#options = options;
    this.#clock = options.clock ?? (() => performance.now());
    this.#hosts = new KnownHosts(options.agents, options.now);
  }

  /** Fails when the store cannot be read. */
  async start(): Promise<void> {
    await this.refresh();
    this.#pollTimer = setInterval(() => void this.refresh().catch(() => undefined), POLL_MS);
    this.#pollTimer.unref();
    this.#touchTimer = setInterval(() => void this.flushTouches(), TOUCH_FLUSH_MS);
    this.#touchTimer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#pollTimer);
    clearInterval(this.#touchTimer);
    await this.flushTouches();
  }

  /** Asks the store what has changed. Changes known to it before this call are in force when it resolves. */
  async refresh(): Promise<void> {
    // A flight that began earlier may have read before the caller's change: wait for it, then ask again.
    if (this.#refreshing !== undefined) await this.#refreshing.catch(() => undefined);
    this.#refreshing ??= this.#askStore().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #askStore(): Promise<void> {
    const asked = this.#clock();
    const { revision, tenants } = await this.#options.directory.changesSince(this.#revision);
    for (const tenant of tenants) this.#forget(tenant);
    if (tenants.length > 0) this.#options.onFound?.(tenants);
    this.#revision = revision;
    this.#confirmedMs = asked;
  }

  /** Word of a change by this process: in force from the next call on. `*`: of every tenant. */
  changed(tenant: string): void {
    this.#changes += 1;
    for (const name of tenant === '*' ? [...this.#slots.keys()] : [tenant]) this.#forget(name);
  }

  #forget(tenant: string): void {
    this.#changes += 1;
    const slot = this.#slots.get(tenant);
    if (slot !== undefined) this.#slots.set(tenant, { former: slot.compiled ?? slot.former });
  }

  /** Whether the text was found to be an agent key before; says nothing on whether it still counts. */
  readonly isKnownKey = (text: string): boolean => this.#keys.has(text);

  /** True while the store has confirmed lately; the readiness probe asks it too. */
  isConfirmed(): boolean {
    return this.#clock() - this.#confirmedMs <= CONFIRMED_FOR_MS;
  }

  /**
   * The caller who holds `keyText`; undefined when the key is unknown, wrong or revoked. Answers without a promise for a key
   * seen before under the present version of its tenant.
   *
   * @throws Rejection `audit_unavailable` when the store does not answer.
   */
  findCaller(keyText: string): KnownCaller | undefined | Promise<KnownCaller | undefined> {
    const known = this.isConfirmed() ? this.#knownCaller(keyText) : undefined;
    return known ?? this.#inTime(this.#askForCaller(keyText));
  }

  /**
   * The holder of the key with this public id, as it is now; undefined when key or agent is gone, or the key was revoked. For calls whose
   * key was verified when they came. Reads the store each time.
   *
   * @throws Rejection `audit_unavailable` when the store does not answer.
   */
  findHolder(keyId: string): Promise<KnownCaller | undefined> {
    return this.#inTime(this.#askForHolder(keyId));
  }

  async #askForHolder(keyId: string): Promise<KnownCaller | undefined> {
    await this.#confirm();
    const found = await this.#findKey(keyId);
    return found && (await this.#callerOf(found, Number.NEGATIVE_INFINITY));
  }

  /** Undefined when the key was not seen under the present version of its tenant. */
  #knownCaller(keyText: string): KnownCaller | undefined {
    const known = this.#keys.get(keyText);
    if (known === undefined || this.#slots.get(known.agent.tenant)?.compiled !== known.tenant) return undefined;
    this.#touch(known);
    return known;
  }

  async #askForCaller(keyText: string): Promise<KnownCaller | undefined> {
    if (this.isConfirmed()) return this.#readCaller(keyText);
    await this.#confirm();
    return this.#knownCaller(keyText) ?? this.#readCaller(keyText);
  }

  async #confirm(): Promise<void> {
    if (this.isConfirmed()) return;
    await this.refresh().catch((error: unknown) => {
      throw storeSilent(error);
    });
    if (!this.isConfirmed()) throw storeSilent(new Error('the store has answered too late'));
  }

  /** A store that does not answer at all must not keep calls waiting for ever. */
  #inTime<T>(answer: Promise<T>): Promise<T> {
    const timeoutMs = this.#options.storeTimeoutMs ?? STORE_TIMEOUT_MS;
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(storeSilent(new Error(`no answer in ${timeoutMs} ms`))), timeoutMs);
    });
    return Promise.race([answer, silence]).finally(() => clearTimeout(timer));
  }

  async #readCaller(keyText: string): Promise<KnownCaller | undefined> {
    const changes = this.#changes;
    const found = await this.#findKey(publicIdOf(keyText));
    if (found === undefined || !this.#options.verifyKey(keyText, found.key.digest, found.key.digestKeyId))
      return undefined;
    const caller = await this.#callerOf(found, this.#keys.get(keyText)?.lastTouchedMs ?? Number.NEGATIVE_INFINITY);
    if (caller === undefined) return undefined;
    // Word of a change came while we read: what was read may be older than the tenant it would be bound to, so it is not kept.
    if (this.#changes !== changes) return caller;
    if (this.#keys.size >= KEYS_MAX) this.#keys.delete(this.#keys.keys().next().value as string);
    this.#keys.set(keyText, caller);
    this.#touch(caller);
    return caller;
  }

  /** Undefined when there is none, or it was revoked. */
  async #findKey(keyId: string): Promise<FoundKey | undefined> {
    const found = await this.#options.agents.findKey(keyId).catch((error: unknown) => {
      throw storeSilent(error);
    });
    return found?.key.revokedAt === undefined ? found : undefined;
  }

  async #callerOf({ key, agent }: FoundKey, lastTouchedMs: number): Promise<KnownCaller | undefined> {
    const tenant = await this.#tenant(agent.tenant);
    if (tenant === undefined) return undefined;
    const hosts = await this.#hosts.hostsOf(agent.tenant, agent.id).catch((error: unknown) => {
      throw storeSilent(error);
    });
    return { agent: makeIdentity(key, agent, hosts), tenant, lastTouchedMs };
  }

  #tenant(name: string): CompiledTenant | undefined | Promise<CompiledTenant | undefined> {
    let slot = this.#slots.get(name);
    if (slot?.compiled !== undefined) return slot.compiled;
    if (slot === undefined) {
      slot = { former: undefined };
      this.#slots.set(name, slot);
    }
    slot.loading ??= this.#load(name, slot);
    return slot.loading;
  }

  async #load(name: string, slot: Slot): Promise<CompiledTenant | undefined> {
    try {
      const snapshot = await this.#options.directory.load(name).catch((error: unknown) => {
        throw storeSilent(error);
      });
      if (snapshot === undefined) return undefined;
      const effective = await withTemplates(snapshot, (error) => this.#options.onError(error, `load tenant ${name}`));
      const compiled = await this.#options.compileTenant(effective, slot.former);
      // Emptied meanwhile: this version serves the calls that wait for it, and the next call loads the newer one.
      if (this.#slots.get(name) !== slot) return compiled;
      slot.compiled = compiled;
      if (slot.former !== undefined) this.#options.onReplaced?.(slot.former, compiled);
      return compiled;
    } catch (error) {
      this.#options.onError(error, `load tenant ${name}`);
      throw error instanceof Rejection
        ? error
        : new Rejection('internal_error', 'The configuration of the tenant cannot be used.', { cause: error });
    } finally {
      delete slot.loading;
    }
  }

  /** What is bounded of a tenant that calls have come for. */
  limitsOf(tenant: string): TenantLimits | undefined {
    const slot = this.#slots.get(tenant);
    return (slot?.compiled ?? slot?.former)?.bounds?.limits;
  }

  /** The integrations of all tenants that calls have come for, for the metrics. */
  *integrations(): Iterable<CompiledIntegration> {
    for (const { compiled, former } of this.#slots.values()) yield* (compiled ?? former)?.integrations.values() ?? [];
  }

  #touch(caller: KnownCaller): void {
    const now = this.#clock();
    if (now - caller.lastTouchedMs < TOUCH_EVERY_MS) return;
    caller.lastTouchedMs = now;
    const { tenant, keyId, id: agentId } = caller.agent;
    this.#touched.set(keyId, { tenant, keyId, agentId, at: this.#options.now() });
  }

  /** A call of the agent goes out to the host, which is not new to it from here on. */
  sawHost(agent: AgentIdentity, host: string): void {
    this.#hosts.saw(agent, host);
  }

  /** Writes when keys were last used, and which hosts were called; never on a call's path. */
  async flushTouches(): Promise<void> {
    await this.#hosts.flush().catch((error: unknown) => this.#options.onError(error, 'write known hosts'));
    if (this.#touched.size === 0) return;
    const uses = [...this.#touched.values()];
    this.#touched.clear();
    await this.#options.agents.touch(uses).catch((error: unknown) => this.#options.onError(error, 'write lastUsedAt'));
  }
}

function storeSilent(cause: unknown): Rejection {
  return new Rejection('audit_unavailable', 'The store that must record this call does not answer.', { cause });
}
