import type { CountedByLabels } from './metric-source.ts';
import type { WideEvent } from './wide-event.ts';

type CallOutcome = 'passed' | 'refused' | 'failed';

interface CallCount {
  readonly labels: { readonly integration: string; readonly outcome: CallOutcome; readonly code: string };
  value: number;
}

/** Counts calls by integration, then by how they ended. */
export class EndedCalls {
  readonly #byIntegration = new Map<string, Map<string | number, CallCount>>();

  readonly source: CountedByLabels = {
    name: 'postern_calls_total',
    help: 'Calls by their end',
    type: 'counter',
    labels: ['integration', 'outcome', 'code'],
    readAll: () => this.#readAll(),
  };

  /** False: it was no call, but a question to the gateway itself, answered. */
  count(event: WideEvent): boolean {
    if (event.integration === undefined && event.code === undefined) return false;
    const integration = event.url === undefined ? '-' : (event.integration ?? '-');
    let byEnd = this.#byIntegration.get(integration);
    if (byEnd === undefined) {
      byEnd = new Map();
      this.#byIntegration.set(integration, byEnd);
    }
    // A status alone is a call that passed; a code belongs to one outcome, but for those that can come before and after stage 9.
    const end = event.code === undefined ? (event.status ?? 0) : outcomeOf(event) + event.code;
    let count = byEnd.get(end);
    if (count === undefined) {
      const code = event.code ?? String(event.status ?? '-');
      count = { labels: { integration, outcome: outcomeOf(event), code }, value: 0 };
      byEnd.set(end, count);
    }
    count.value += 1;
    return true;
  }

  *#readAll(): ReturnType<CountedByLabels['readAll']> {
    for (const byEnd of this.#byIntegration.values()) {
      for (const { labels, value } of byEnd.values()) yield [{ ...labels }, value];
    }
  }
}

function outcomeOf(event: WideEvent): CallOutcome {
  if (event.code === undefined) return 'passed';
  return event.intentRecorded ? 'failed' : 'refused';
}
