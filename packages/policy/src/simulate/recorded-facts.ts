import type { Outcome } from '@postern/schemas';
import type { CountFacts, Facts, HeaderFacts, ToolFacts } from '../call.ts';
import { UNKEPT, type Unkept } from '../condition/unkept.ts';

/** An outcome with the rule that is told for it. */
export interface ToldOutcome {
  readonly outcome: Outcome;
  readonly rule: string | null;
}

/**
 * The facts of a call as they were recorded: any value that was redacted, cut or never kept is `UNKEPT`, also inside `body`, `headers`,
 * `query` and a tool's arguments. A list or map that was cut short is UNKEPT as a whole.
 */
export type RecordedFacts = Omit<Facts, 'agent' | 'request' | 'risk' | 'tool' | 'counts' | 'hostIsNew'> & {
  /** Tells the call in the result. */
  readonly id?: string | undefined;
  /** What was decided of it then, where it was this very version of the current policy that decided: it need not be judged again. */
  readonly decided?: ToldOutcome | undefined;
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
  /** Where `risk` was not kept: a score that the call had less than, as what became of it then tells. */
  readonly riskBelow?: number | undefined;
  readonly tool?: ToolFacts | null | undefined | Unkept;
  readonly counts?: CountFacts | null | undefined | Unkept;
  readonly hostIsNew?: boolean | undefined | Unkept;
};

/** What of the facts as a whole was not kept, by the names that conditions have for it: `request.body`, `agent.roles`, … */
export function unkeptFacts({ agent, request, risk, tool, counts }: RecordedFacts): ReadonlySet<string> {
  const unkept = new Set<string>();
  const note = (isGone: boolean, ...names: readonly string[]) => {
    if (isGone) for (const name of names) unkept.add(name);
  };
  note(agent.roles === UNKEPT, 'agent.roles');
  note(agent.trust === UNKEPT, 'agent.trust');
  note(agent.environment === UNKEPT, 'agent.environment');
  note(request.headers === UNKEPT, 'request.headers');
  note(request.query === UNKEPT, 'request.query');
  note(request.bodyInspected === UNKEPT, 'request.bodyInspected');
  note(request.bodyInspected === UNKEPT || request.body === UNKEPT, 'request.body');
  note(risk === UNKEPT, 'risk.score', 'risk.labels');
  note(tool === UNKEPT, 'tool.name', 'tool.server', 'tool.arguments');
  note(counts === UNKEPT, 'count.minute', 'count.hour', 'count.day');
  return unkept;
}
