import type { CountFacts, Facts, HeaderFacts, ToolFacts } from '../call.ts';
import type { Unkept } from '../condition/unkept.ts';

/**
 * The facts of a call as they were recorded: any value that was redacted, cut or never kept is `UNKEPT`, also inside `body`, `headers`,
 * `query` and a tool's arguments. A list or map that was cut short is UNKEPT as a whole.
 */
export type RecordedFacts = Omit<Facts, 'agent' | 'request' | 'risk' | 'tool' | 'counts' | 'hostIsNew'> & {
  /** Tells the call in the result. */
  readonly id?: string | undefined;
  readonly agent: {
    readonly name: string;
    readonly roles: readonly string[] | Unkept;
    readonly trust: number | Unkept;
    readonly environment?: string | null | undefined | Unkept;
  };
  readonly request: Omit<Facts['request'], 'headers' | 'query' | 'bodyInspected'> & {
    readonly headers: HeaderFacts | Unkept;
    readonly query?: Readonly<Record<string, readonly (string | Unkept)[] | Unkept>> | undefined | Unkept;
    readonly bodyInspected: boolean | Unkept;
  };
  readonly risk?: Facts['risk'] | Unkept;
  readonly tool?: ToolFacts | null | undefined | Unkept;
  readonly counts?: CountFacts | null | undefined | Unkept;
  readonly hostIsNew?: boolean | undefined | Unkept;
};
