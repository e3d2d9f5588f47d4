import type { Server } from 'node:http';
import type { ListenFault, OwnAddresses } from '@postern/admin/configuration';
import type { IntegrationRecord, IntegrationsPort } from '@postern/db/ports';
import { createListener, createOwnAddressHosts, type Gateway, stopListener } from '@postern/gateway';
import { formatListenAddress, type ListenAddress, parseListenAddress } from '@postern/schemas';
import { bind } from './bind.ts';
import type { RunState } from './compose.ts';
import type { Log } from './log.ts';
import { isLoopback, type Settings } from './settings.ts';

export interface OwnListenersParts {
  readonly settings: Pick<Settings, 'data' | 'admin' | 'allowsCleartext'>;
  readonly state: RunState;
  readonly log: Pick<Log, 'logger' | 'error'>;
  readonly integrations: Pick<IntegrationsPort, 'listListening'>;
}

/** What could not be opened is tried again after this long: the other program may have ended. */
const RETRY_MS = 5_000;
/** Calls in flight on an address that is given up get this long to end. */
const GRACE_MS = 30_000;

interface OpenListener {
  readonly wanted: Wanted;
  readonly server: Server;
  readonly bound: ListenAddress;
}

interface Wanted {
  readonly tenant: string;
  readonly integration: string;
  /** As configured. */
  readonly listen: string;
}

interface Fault extends ListenFault {
  readonly tenant: string;
}

/**
 * The integrations' own addresses: a listener each, opened and closed as the stored configuration says.
 *
 * One pass at a time: it reads what is wanted, closes what is wanted no more (calls in flight end in their own time), opens what is
 * new, and notes what could not be opened, which a later pass tries again. Nothing is opened before `start` and after `stop`.
 */
export class OwnListeners implements OwnAddresses {
  readonly #parts: OwnListenersParts;
  /** By tenant and integration. */
  readonly #open = new Map<string, OpenListener>();
  readonly #leaving = new Set<Promise<void>>();
  #faults: readonly Fault[] = [];
  #gateway: Gateway | undefined;
  #pass: Promise<void> = Promise.resolve();
  #nextPass: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;

  constructor(parts: OwnListenersParts) {
    this.#parts = parts;
  }

  get mayLeaveLoopback(): boolean {
    const { data, allowsCleartext } = this.#parts.settings;
    return data.tls !== undefined || allowsCleartext;
  }

  /** Before they are bound, as far as the settings name a port. */
  gatewayListeners(): readonly ListenAddress[] {
    const { settings, state } = this.#parts;
    if (state.gatewayListeners.length > 0) return state.gatewayListeners;
    return [settings.data.bind, settings.admin.bind].filter(({ port }) => port !== 0);
  }

  /** The shared listener is bound, and calls may come. */
  start(gateway: Gateway): Promise<void> {
    this.#gateway = gateway;
    return this.follow();
  }

  /** Resolves after a pass that has begun later than the call. Never rejects. */
  follow(): Promise<void> {
    this.#nextPass ??= this.#pass.then(() => {
      this.#nextPass = undefined;
      this.#pass = this.#runPass().catch((error: unknown) => this.#onFailedPass(error));
      return this.#pass;
    });
    return this.#nextPass;
  }

  faults(tenant: string): readonly ListenFault[] {
    return this.#faults.filter((fault) => fault.tenant === tenant);
  }

  allOpen(): boolean {
    return this.#faults.length === 0;
  }

  addressOf(tenant: string, integration: string): string | undefined {
    const found = this.#open.get(keyOf({ tenant, integration }));
    return found && formatListenAddress(found.bound);
  }

  /** Stops accepting; resolves when the last call has ended or been cut after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    clearTimeout(this.#retry);
    this.#gateway = undefined;
    await this.#pass;
    for (const listener of [...this.#open.values()]) this.#close(listener, graceMs);
    await Promise.all(this.#leaving);
  }

  async #runPass(): Promise<void> {
    clearTimeout(this.#retry);
    if (this.#gateway === undefined) return;
    const wanted = (await this.#parts.integrations.listListening()).flatMap(wantedOf);
    const byKey = new Map(wanted.map((one) => [keyOf(one), one]));
    for (const [key, listener] of [...this.#open]) {
      if (byKey.get(key)?.listen !== listener.wanted.listen) this.#close(listener, GRACE_MS);
    }
    const faults: Fault[] = [];
    for (const one of wanted) {
      const gateway = this.#gateway;
      if (gateway === undefined) return;
      if (this.#open.has(keyOf(one))) continue;
      const message = await this.#tryToOpen(one, gateway);
      if (message !== undefined) faults.push({ ...one, message });
    }
    this.#note(faults);
  }

  /** Returns why not. */
  async #tryToOpen(wanted: Wanted, gateway: Gateway): Promise<string | undefined> {
    const address = parseListenAddress(wanted.listen);
    if (address === undefined) return `${wanted.listen} is no address with a port`;
    // What was saved under other settings is judged by those of now.
    if (!isLoopback(address.address) && !this.mayLeaveLoopback) {
      return `${wanted.listen} is not a loopback address, and the data plane has no TLS`;
    }
    try {
      await this.#openAt(wanted, address, gateway);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  async #openAt(wanted: Wanted, address: ListenAddress, gateway: Gateway): Promise<void> {
    const { state, settings, log } = this.#parts;
    const { tenant, integration } = wanted;
    const isTls = settings.data.tls !== undefined;
    const arrival = { kind: 'own' as const, tenant, integration, baseUrl: '' };
    const own = { ...gateway, arrivalHosts: createOwnAddressHosts(arrival) };
    const server = createListener(own, { tls: settings.data.tls });
    const bound = await bind(server, address, 'listen');
    arrival.baseUrl = baseUrlOf(bound, state.publicUrl, isTls);
    this.#open.set(keyOf(wanted), { wanted, server, bound });
    state.listeners.push(bound);
    log.logger.info({ tenant, integration, listen: formatListenAddress(bound) }, 'own address of an integration open');
  }

  #close(listener: OpenListener, graceMs: number): void {
    const { state, log } = this.#parts;
    const { wanted, server, bound } = listener;
    this.#open.delete(keyOf(wanted));
    const place = state.listeners.indexOf(bound);
    if (place >= 0) state.listeners.splice(place, 1);
    const { tenant, integration } = wanted;
    log.logger.info(
      { tenant, integration, listen: formatListenAddress(bound) },
      'own address of an integration closed',
    );
    const leaving = stopListener(server, graceMs).finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }

  #note(faults: readonly Fault[]): void {
    const known = new Set(
      this.#faults.map(({ tenant, integration, message }) => `${tenant} ${integration} ${message}`),
    );
    for (const { tenant, integration, message } of faults) {
      if (known.has(`${tenant} ${integration} ${message}`)) continue;
      this.#parts.log.logger.error({ tenant, integration }, `own address of an integration: ${message}`);
    }
    this.#faults = faults;
    if (faults.length > 0) this.#tryAgainLater();
  }

  #onFailedPass(error: unknown): void {
    this.#parts.log.error(error, 'open own addresses');
    this.#tryAgainLater();
  }

  #tryAgainLater(): void {
    if (this.#gateway === undefined) return;
    this.#retry = setTimeout(() => void this.follow(), RETRY_MS).unref();
  }
}

function wantedOf({ tenant, name, spec }: IntegrationRecord): Wanted[] {
  return spec.listen === null ? [] : [{ tenant, integration: name, listen: spec.listen }];
}

function keyOf({ tenant, integration }: Pick<Wanted, 'tenant' | 'integration'>): string {
  return `${tenant}\n${integration}`;
}

/** Nobody can follow a link to a wildcard address: there the public URL's host is told. */
function baseUrlOf(bound: ListenAddress, publicUrl: string, isTls: boolean): string {
  const isWildcard = bound.address === '0.0.0.0' || bound.address === '::';
  const host = isWildcard ? new URL(publicUrl).hostname : undefined;
  const authority = host === undefined ? formatListenAddress(bound) : `${host}:${bound.port}`;
  return `${isTls ? 'https' : 'http'}://${authority}`;
}
