import type { Risk, Rule } from '@postern/schemas';
import type { ApiPage, PageQuery } from './api-objects.ts';
import { allPages, type EditOptions, readJson, type Tagged, writeJson } from './collections.ts';
import type { Send } from './send.ts';

/** A version of the policy without its rules. Times are ISO 8601 in UTC. */
export interface ApiPolicyVersionSummary {
  readonly id: string;
  /** Counts the versions of the tenant from 1. */
  readonly number: number;
  readonly status: 'draft' | 'active' | 'superseded';
  /** SHA-256 of the document, hex. */
  readonly contentHash: string;
  /** What decisions name while it is active. */
  readonly policyVersion?: string;
  readonly note?: string;
  /** Number of the version that was active when this one was made. */
  readonly base?: number;
  readonly createdBy: string;
  readonly createdAt: string;
  readonly activatedAt?: string;
}

export interface ApiPolicyVersion extends ApiPolicyVersionSummary {
  readonly rules: readonly Rule[];
  readonly risk: Risk;
}

export interface ApiPolicyDiff {
  /** Null: there was nothing before. */
  readonly from: { readonly id: string; readonly number: number; readonly contentHash: string } | null;
  readonly to: { readonly id: string; readonly number: number; readonly contentHash: string };
  readonly changes: readonly {
    /** Null: what is no rule. */
    readonly rule: string | null;
    readonly op: 'added' | 'removed' | 'changed' | 'disabled' | 'enabled';
    readonly words: string;
  }[];
}

/** The control plane judges what it is. */
export interface NewPolicyVersion {
  readonly rules: unknown;
  /** Absent: as it is in force. */
  readonly risk?: unknown;
  readonly note?: unknown;
}

export interface ActivationOptions extends EditOptions {
  /** Id or number of the version that is to be replaced; null: none. */
  readonly expectedActive?: number | string | null;
}

/** `version` is an id, a number, `active`, or `previous`: the one that was active before. */
export function policyVersionCalls(send: Send) {
  const list = (query: PageQuery = {}) =>
    readJson<ApiPage<ApiPolicyVersionSummary>>(send, { path: '/v1/policies', query: { ...query } });
  const one = (version: number | string) => `/v1/policies/${encodeURIComponent(version)}`;
  const put = (version: number | string, how: string, { ifMatch, expectedActive }: ActivationOptions) => {
    const body = expectedActive === undefined ? {} : { body: { expectedActive } };
    return writeJson<ApiPolicyVersionSummary>(send, 'POST', `${one(version)}/${how}`, { ...body, ifMatch });
  };
  return {
    /** Newest first. */
    list,
    all: () => allPages(list),
    get: (version: number | string) => readJson<ApiPolicyVersion>(send, { path: one(version) }),
    async getTagged(version: number | string): Promise<Tagged<ApiPolicyVersion>> {
      const response = await send({ method: 'GET', path: one(version) });
      return { value: (await response.json()) as ApiPolicyVersion, etag: response.headers.get('etag') ?? undefined };
    },
    /** The exact bytes of which `contentHash` is the SHA-256. */
    async document(version: number | string): Promise<Uint8Array> {
      return new Uint8Array(await (await send({ method: 'GET', path: `${one(version)}/document` })).arrayBuffer());
    },
    /** Stored and checked, not in force. */
    draft: (draft: NewPolicyVersion) => writeJson<ApiPolicyVersion>(send, 'POST', '/v1/policies', { body: draft }),
    activate: (version: number | string, options: ActivationOptions = {}) => put(version, 'activate', options),
    /** Only to a version that was in force before. */
    rollback: (version: number | string, options: ActivationOptions = {}) => put(version, 'rollback', options),
    diff: (version: number | string, against: number | string = 'active') =>
      readJson<ApiPolicyDiff>(send, { path: `${one(version)}/diff`, query: { against } }),
  };
}
