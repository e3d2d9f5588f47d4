import type { PolicyTest } from '@postern/schemas';
import type { Send } from './send.ts';

export type PolicyOutcome = 'allow' | 'deny' | 'require_approval';

/** A draft that is simulated: sections as in `postern.yaml`; what it lacks stays as it is in force. The control plane judges them. */
export interface PolicyDraft {
  readonly rules?: unknown;
  readonly risk?: unknown;
  readonly global?: unknown;
}

export interface SimulationQuery {
  /** `24h`, `30d`; default 24h before `to`. */
  readonly since?: string | undefined;
  /** ISO 8601, or milliseconds; inclusive. Not together with `since`. */
  readonly from?: string | undefined;
  /** Exclusive; default: now. */
  readonly to?: string | undefined;
  /** Calls looked at, 1 to 10,000. */
  readonly limit?: number;
  readonly cursor?: string | undefined;
}

/** A recorded call. `url` is without its query. */
export interface SimulatedCall {
  readonly requestId?: string;
  readonly at: string;
  readonly agent?: string;
  readonly integration?: string;
  readonly action?: string;
  readonly method?: string;
  readonly url?: string;
}

interface ToldOutcome {
  readonly outcome: PolicyOutcome;
  readonly rule: string | null;
}

/** Calls come newest first. */
export interface ApiSimulation {
  readonly from: string;
  readonly to: string;
  readonly policies: { readonly current: string; readonly draft: string };
  readonly calls: number;
  readonly unchanged: number;
  readonly changed: readonly (SimulatedCall & {
    readonly before: ToldOutcome;
    /** `possible`: where the risk was not kept, all that it could come to. */
    readonly after: ToldOutcome & { readonly possible?: readonly PolicyOutcome[] };
  })[];
  readonly byRule: readonly {
    readonly rule: string | null;
    readonly before: PolicyOutcome;
    readonly after: PolicyOutcome;
    readonly calls: number;
  }[];
  readonly undetermined: readonly (SimulatedCall & {
    readonly before: readonly PolicyOutcome[];
    readonly after: readonly PolicyOutcome[];
    readonly rules: readonly {
      readonly policy: 'current' | 'draft';
      readonly rule: string;
      readonly message: string;
    }[];
  })[];
  readonly notRecorded: readonly (SimulatedCall & { readonly reason: string })[];
  readonly unkept: readonly { readonly name: string; readonly calls: number }[];
  readonly warnings: readonly { readonly field: string; readonly message: string }[];
  /** When the oldest call was made that was looked at. */
  readonly oldest?: string | undefined;
  readonly truncated: boolean;
  readonly nextCursor?: string;
}

export interface ApiPolicyTestReport {
  readonly passed: number;
  readonly failed: number;
  readonly results: readonly {
    readonly name: string;
    readonly isPassed: boolean;
    readonly problems: readonly string[];
    readonly decision?: object;
  }[];
}

/** Trying a policy before it takes force; nothing of it writes. */
export function policyTrialCalls(send: Send) {
  const ask = async <T>(path: string, body?: unknown, query: SimulationQuery = {}): Promise<T> => {
    const request = { method: 'POST', path, query: { ...query } } as const;
    return (await (await send(body === undefined ? request : { ...request, body })).json()) as T;
  };
  return {
    simulate: (draft: PolicyDraft, query?: SimulationQuery) => {
      return ask<ApiSimulation>('/v1/policies/simulate', draft, query);
    },
    /** `version`: id or number of a stored version. */
    simulateVersion: (version: string, query?: SimulationQuery) => {
      return ask<ApiSimulation>(`/v1/policies/${encodeURIComponent(version)}/simulate`, undefined, query);
    },
    /** Runs tests of policy on the sections given, and on what is in force where one is not. */
    testPolicy: (document: { readonly tests: readonly PolicyTest[] } & Readonly<Record<string, unknown>>) => {
      return ask<ApiPolicyTestReport>('/v1/policies/test', document);
    },
  };
}
