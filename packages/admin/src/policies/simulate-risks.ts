import type { AuditPort, PolicyVersionRef, PolicyVersionsPort } from '@postern/db/ports';
import type { Entry, Risk } from '@postern/schemas';

type Thresholds = Pick<Risk, 'review' | 'deny'>;

export interface RiskSources {
  readonly policyVersions: PolicyVersionsPort;
  readonly audit: Pick<AuditPort, 'query'>;
}

/** As many versions and activations are looked through, the newest; of calls that an older one decided less is known. */
const LOOKED_THROUGH_MAX = 1_000;
/** Pages that they are searched on, each of which may cost only so much. */
const ACTIVATION_PAGES_MAX = 16;

/**
 * The thresholds of the policy versions that decided recorded calls. Of most calls the score was not kept, since it could not raise the
 * outcome: so it was below the threshold that held then.
 */
export class RecordedRisks {
  readonly #sources: RiskSources;
  readonly #tenant: string;
  /** By policy version; undefined: not known. */
  readonly #known: Map<string, Thresholds | undefined>;
  /** Stored versions by policy version, as they are, and as activations tell. Read when a call was not decided by the policy in force. */
  #stored: Refs | undefined;
  #activated: Refs | undefined;

  constructor(sources: RiskSources, tenant: string, inForce: { readonly version: string; readonly risk: Thresholds }) {
    this.#sources = sources;
    this.#tenant = tenant;
    this.#known = new Map([[inForce.version, inForce.risk]]);
  }

  /** Reads what `below` needs for these entries. */
  async learn(entries: readonly Entry[]): Promise<void> {
    for (const { policyVersion } of entries) {
      if (policyVersion === undefined || this.#known.has(policyVersion)) continue;
      this.#known.set(policyVersion, await this.#read(policyVersion));
    }
  }

  /** A score that the call had less than, as its outcome tells; undefined where nothing tells it. */
  below({ policyVersion, decision, risk }: Entry): number | undefined {
    if (risk !== undefined || policyVersion === undefined) return undefined;
    const thresholds = this.#known.get(policyVersion);
    if (decision === 'allow') return thresholds && Math.min(thresholds.review, thresholds.deny);
    return decision === 'require_approval' ? thresholds?.deny : undefined;
  }

  async #read(policyVersion: string): Promise<Thresholds | undefined> {
    this.#stored ??= await this.#readStored();
    const ref = this.#stored.get(policyVersion) ?? (await this.#activation(policyVersion));
    if (ref === undefined) return undefined;
    const record = await this.#sources.policyVersions.getPolicyVersion(this.#tenant, ref);
    return record && (JSON.parse(record.document) as { readonly risk: Thresholds }).risk;
  }

  async #activation(policyVersion: string): Promise<PolicyVersionRef | undefined> {
    this.#activated ??= await this.#readActivations();
    return this.#activated.get(policyVersion);
  }

  async #readStored(): Promise<Refs> {
    const { items } = await this.#sources.policyVersions.listByTenant(this.#tenant, { limit: LOOKED_THROUGH_MAX });
    return new Map(
      items.flatMap(({ policyVersion, id }) => (policyVersion === undefined ? [] : [[policyVersion, { id }]])),
    );
  }

  /** A version decides under another name once an integration has other actions; its stored name is the last. */
  async #readActivations(): Promise<Refs> {
    const items: Entry[] = [];
    let cursor: string | undefined;
    for (let pages = 0; pages < ACTIVATION_PAGES_MAX && items.length < LOOKED_THROUGH_MAX; pages++) {
      const page = { limit: LOOKED_THROUGH_MAX - items.length, ...(cursor === undefined ? {} : { cursor }) };
      const found = await this.#sources.audit.query(this.#tenant, { type: 'policy.activated', ...page });
      items.push(...found.items);
      cursor = found.nextCursor;
      if (cursor === undefined) break;
    }
    return new Map(
      items.flatMap(({ policyVersion, versions }) =>
        policyVersion === undefined || versions === undefined ? [] : [[policyVersion, { number: versions.to.number }]],
      ),
    );
  }
}

type Refs = ReadonlyMap<string, PolicyVersionRef>;
