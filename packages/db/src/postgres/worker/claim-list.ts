import type { ClaimStore, FoundClaim, HeldClaim, SettledClaim, TakenClaim } from '../../journal/journal-rows.ts';
import type { ClaimScope } from '../../ports/claims.ts';
import { DbError } from '../../ports/db-error.ts';
import type { Statement } from '../statement-batch.ts';
import type { LeaseList } from './lease-list.ts';
import { isStorable, longList } from './list-literals.ts';

/** A row as it was read, or as it is to be. Never changed: a change makes another one. */
type ClaimImage = Omit<FoundClaim, 'lease_until'> &
  ClaimScope & {
    readonly lease: number | null;
    readonly request_id: string | null;
    readonly problem_code: string | null;
    readonly problem_status: number | null;
    readonly keeps_resolution: boolean;
    readonly is_new: boolean;
    /** Of a lease that is not this boot's. */
    readonly lease_until: number | null;
  };

/** The row of a claim as `loading` gives it. */
export type ClaimRead = Omit<ClaimImage, 'problem_code' | 'problem_status' | 'keeps_resolution' | 'is_new'>;

interface NewAnswer {
  readonly answer: number;
  readonly tenant: string;
  readonly sealed: Uint8Array;
}

const MEMBERS = `place bigint, tenant text, agent text, integration text, key text, state text, fence bigint, fingerprint text,
  lease bigint, request_id text, approval_id text, problem_code text, problem_status bigint, answer bigint, retry_allowed bigint,
  keeps_resolution boolean, created_at bigint, expires_at bigint`;

const WRITTEN =
  'state, fence, fingerprint, lease, request_id, approval_id, problem_code, problem_status, answer, retry_allowed, created_at, expires_at';

const INSERT = `insert into claims (place, tenant, agent, integration, key, ${WRITTEN})
  select place, tenant, agent, integration, key, ${WRITTEN} from json_to_recordset($1) as v (${MEMBERS})`;

const UPDATE = `update claims c set ${WRITTEN.split(', ')
  .map((name) => `${name} = v.${name}`)
  .join(', ')}, resolution = case when v.keeps_resolution then c.resolution end
  from json_to_recordset($1) as v (${MEMBERS}) where c.place = v.place`;

const INSERT_ANSWERS = `insert into stored_answers (answer, tenant, bytes, sealed)
  select answer, tenant, bytes, decode(sealed, 'base64')
  from json_to_recordset($1) as v (answer bigint, tenant text, bytes bigint, sealed text)`;

const DROP_ANSWERS = 'delete from stored_answers where answer = any($1::int8[])';

/** Bytes of a claim's scope: what surely fits the index on it. */
const SCOPE_BYTES_MAX = 2_500;

/** The claims that a transaction is about, as they were read and locked, and what is to become of them. */
export class ClaimList implements ClaimStore {
  readonly #leases: LeaseList;
  #byScope = new Map<string, ClaimImage>();
  #scopes = new Map<number, string>();
  #changed = new Set<string>();
  #sparePlaces: number[] = [];
  #spareAnswers: number[] = [];
  #answers: NewAnswer[] = [];
  #droppedAnswers: number[] = [];

  constructor(leases: LeaseList) {
    this.#leases = leases;
  }

  clear(): void {
    if (this.#byScope.size === 0 && this.#answers.length === 0) return;
    this.#byScope = new Map();
    this.#scopes = new Map();
    this.#changed = new Set();
    this.#answers = [];
    this.#droppedAnswers = [];
  }

  know(rows: readonly ClaimRead[]): void {
    for (const row of rows) {
      const problem = { problem_code: null, problem_status: null };
      this.#put({ ...row, ...problem, keeps_resolution: true, is_new: false });
    }
  }

  /** Numbers that nothing else has, for as many new rows as there may be. */
  addSparePlaces(places: readonly number[]): void {
    this.#sparePlaces = [...places];
  }

  addSpareAnswers(answers: readonly number[]): void {
    this.#spareAnswers = [...answers];
  }

  find(scope: ClaimScope): FoundClaim | undefined {
    const image = this.#byScope.get(textOf(scope));
    if (image === undefined) return undefined;
    return { ...image, lease_until: this.#leases.untilOf(image.lease) ?? image.lease_until };
  }

  insert(scope: ClaimScope, taken: TakenClaim): number {
    const { tenant, agent, integration, key } = scope;
    const text = textOf(scope);
    if (![tenant, agent, integration, key].every(isStorable) || Buffer.byteLength(text) > SCOPE_BYTES_MAX) {
      throw new DbError('invalid', 'claims: the scope of a key is no text that PostgreSQL can hold');
    }
    const place = takeFrom(this.#sparePlaces);
    const none = { approval_status: null, approval_ends_at: null, lease_until: null, ...NO_ANSWER };
    this.#change({ ...scope, place, ...taken, ...none, keeps_resolution: false, is_new: true });
    return place;
  }

  take({ place }: FoundClaim, taken: TakenClaim, keepsResolution: boolean): void {
    const image = this.#at(place);
    if (image === undefined) throw new Error('a claim is taken that was not read');
    const keeps_resolution = image.keeps_resolution && keepsResolution;
    this.#change({ ...image, ...taken, ...NO_ANSWER, keeps_resolution });
  }

  settle({ place, fence }: HeldClaim, requestId: string, settled: SettledClaim): boolean {
    const image = this.#at(place);
    if (image?.state !== 'dispatching' || image.fence !== fence || image.request_id !== requestId) return false;
    const expires_at = settled.expires_at ?? image.expires_at;
    this.#change({ ...image, ...settled, expires_at, lease: null });
    return true;
  }

  abandon(requestId: string): void {
    for (const image of this.#byScope.values()) {
      if (image.request_id !== requestId || image.state !== 'dispatching') continue;
      this.#change({ ...image, state: 'unknown', lease: null });
    }
  }

  addAnswer(tenant: string, sealed: Uint8Array): number {
    if (!ArrayBuffer.isView(sealed)) throw new DbError('invalid', 'stored_answers.sealed must be bytes');
    const answer = takeFrom(this.#spareAnswers);
    this.#answers.push({ answer, tenant, sealed });
    return answer;
  }

  dropAnswer(answer: number): void {
    this.#droppedAnswers.push(answer);
  }

  /** What was done since then is not done. */
  mark(): () => void {
    const [byScope, scopes, changed] = [new Map(this.#byScope), new Map(this.#scopes), new Set(this.#changed)];
    const [answers, dropped] = [this.#answers.length, this.#droppedAnswers.length];
    return () => {
      [this.#byScope, this.#scopes, this.#changed] = [byScope, scopes, changed];
      this.#answers.length = answers;
      this.#droppedAnswers.length = dropped;
    };
  }

  changes(): readonly Statement[] {
    const changed = [...this.#changed].flatMap((scope) => this.#byScope.get(scope) ?? []);
    const answers = this.#answers.map(({ answer, tenant, sealed }) => {
      const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
      return { answer, tenant, bytes: sealed.byteLength, sealed: bytes.toString('base64') };
    });
    return [
      ...rowsInto(INSERT_ANSWERS, answers),
      ...rowsInto(
        INSERT,
        changed.filter((image) => image.is_new),
      ),
      ...rowsInto(
        UPDATE,
        changed.filter((image) => !image.is_new),
      ),
      ...(this.#droppedAnswers.length === 0
        ? []
        : [{ sql: DROP_ANSWERS, parameters: [longList(this.#droppedAnswers)], isSilent: true }]),
    ];
  }

  /** What is to become of the rows has become of them. */
  stored(): void {
    for (const scope of this.#changed) {
      const image = this.#byScope.get(scope);
      if (image?.is_new === true) this.#put({ ...image, is_new: false });
    }
    this.#changed.clear();
    this.#answers = [];
    this.#droppedAnswers = [];
  }

  #at(place: number): ClaimImage | undefined {
    const scope = this.#scopes.get(place);
    return scope === undefined ? undefined : this.#byScope.get(scope);
  }

  #change(image: ClaimImage): void {
    this.#changed.add(this.#put(image));
  }

  #put(image: ClaimImage): string {
    const scope = textOf(image);
    this.#byScope.set(scope, image);
    this.#scopes.set(image.place, scope);
    return scope;
  }
}

const NO_ANSWER = { answer: null, problem_code: null, problem_status: null, retry_allowed: 0 };

/** No text of PostgreSQL holds a NUL, so that no two scopes make one text. */
function textOf({ tenant, agent, integration, key }: ClaimScope): string {
  return `${tenant}\0${agent}\0${integration}\0${key}`;
}

function takeFrom(spare: number[]): number {
  const number = spare.shift();
  if (number === undefined) throw new Error('a row is made where none was to be expected');
  return number;
}

/** Rows go as one JSON text: of the ways that a statement of any number of rows has, it is the one that costs least here. */
export function rowsInto(sql: string, rows: readonly object[]): readonly Statement[] {
  return rows.length === 0 ? [] : [{ sql, parameters: [JSON.stringify(rows)], isSilent: true }];
}
