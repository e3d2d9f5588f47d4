import type { ApiSimulation, PolicyOutcome, SimulatedCall } from '@postern/client';
import { countWords } from './count-words.ts';
import { type Column, renderTable } from './table.ts';
import { localTime } from './times.ts';
import { visibleText } from './visible-text.ts';

/** So many calls of each kind are listed unless all are asked for. */
const LISTED_CALLS = 50;

const STATES: Record<PolicyOutcome, string> = {
  allow: 'allowed',
  deny: 'denied',
  require_approval: 'held for approval',
};

type Changed = ApiSimulation['changed'][number];

interface Layout {
  readonly all: boolean;
  /** Of the terminal. */
  readonly columns: number | undefined;
}

/** What a draft would have changed, in words; then the calls, each kind apart. Ends without a line break. */
export function renderSimulation(simulation: ApiSimulation, layout: Layout): string {
  const { from, to, calls, unchanged, changed, undetermined, notRecorded, warnings, truncated, oldest } = simulation;
  const since = truncated && oldest !== undefined ? oldest : from;
  const sections = [
    `${countWords(calls, 'recorded call')} between ${localTime(since)} and ${localTime(to)}: ${unchanged.toLocaleString('en-US')} unchanged, ` +
      `${changed.length.toLocaleString('en-US')} changed, ${undetermined.length.toLocaleString('en-US')} undetermined.`,
    warnings.map(({ field, message }) => `Warning: ${visibleText(`${field}: ${message}`)}`).join('\n'),
    renderChanged(simulation, layout),
    renderUndetermined(simulation, layout),
    renderNotRecorded(notRecorded, layout),
    calls === 0 ? 'Nothing was recorded in that time to try the draft on.' : '',
    unkeptWords(simulation),
  ];
  return sections.filter((section) => section !== '').join('\n\n');
}

function renderChanged({ changed, byRule }: ApiSimulation, layout: Layout): string {
  if (changed.length === 0) return '';
  const words = byRule.map((group) => `  ${visibleText(changeWords(group, changed))}`);
  const calls = renderCalls(changed, layout, [
    { title: 'BEFORE', value: ({ before }) => toldText(before) },
    { title: 'AFTER', value: ({ after }) => `${toldText(after)}${raisedText(after)}` },
  ]);
  return ['The draft changes:', ...words, '', calls].join('\n');
}

/** `12 calls that are allowed now would be denied, by rule no-secrets` */
function changeWords(
  { rule, before, after, calls }: ApiSimulation['byRule'][number],
  changed: readonly Changed[],
): string {
  const verb = calls === 1 ? 'is' : 'are';
  const change = `${countWords(calls, 'call')} that ${verb} ${STATES[before]} now would be ${STATES[after]}`;
  const isLacking = changed.some(
    (call) => call.after.rule === null && call.before.rule === rule && call.before.outcome === before,
  );
  if (rule === null) return change;
  return isLacking ? `${change}, without rule ${rule}` : `${change}, by rule ${rule}`;
}

function renderUndetermined({ undetermined }: ApiSimulation, layout: Layout): string {
  if (undetermined.length === 0) return '';
  const reasons = new Map<string, number>();
  for (const { rules } of undetermined) {
    const told = rules.map(({ rule, message }) => `${rule === 'risk' ? 'the risk' : `rule ${rule}`} ${message}`);
    for (const reason of new Set(told)) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  }
  const words = [...reasons].map(([reason, calls]) => `  ${visibleText(`${countWords(calls, 'call')}: ${reason}`)}`);
  const calls = renderCalls(undetermined, layout, [
    { title: 'BEFORE', value: ({ before }) => before.join(' or ') },
    { title: 'AFTER', value: ({ after }) => after.join(' or ') },
  ]);
  return ['It cannot be told of these, for the log does not keep what decides:', ...words, '', calls].join('\n');
}

function renderNotRecorded(notRecorded: ApiSimulation['notRecorded'], layout: Layout): string {
  if (notRecorded.length === 0) return '';
  const calls = renderCalls(notRecorded, layout, [{ title: 'WHY', value: ({ reason }) => reason }]);
  return [`${countWords(notRecorded.length, 'more call')} cannot be tried again:`, calls].join('\n');
}

function renderCalls<T extends SimulatedCall>(calls: readonly T[], layout: Layout, more: readonly Column<T>[]): string {
  const listed = layout.all ? calls : calls.slice(0, LISTED_CALLS);
  const columns: readonly Column<T>[] = [
    { title: 'TIME', value: ({ at }) => localTime(at) },
    { title: 'AGENT', value: ({ agent }) => agent },
    { title: 'CALL', value: ({ method, url, integration }) => [method, url ?? integration].filter(Boolean).join(' ') },
    ...more,
  ];
  const table = renderTable(columns, listed, layout.columns).trimEnd();
  const left = calls.length - listed.length;
  return left === 0 ? table : `${table}\nand ${countWords(left, 'more call')}; --all lists them.`;
}

function toldText({ outcome, rule }: Changed['before']): string {
  return rule === null ? outcome : `${outcome} (${rule})`;
}

/** Its risk was not kept, and may raise what the rules say. */
function raisedText({ outcome, possible = [] }: Changed['after']): string {
  const raised = possible.filter((one) => one !== outcome);
  return raised.length === 0 ? '' : ` or by risk ${raised.join(', ')}`;
}

function unkeptWords({ unkept, calls }: ApiSimulation): string {
  if (unkept.length === 0) return '';
  const told = unkept.map(({ name, calls: count }) =>
    count === calls ? name : `${name} (${countWords(count, 'call')})`,
  );
  return `Not kept by the log: ${told.join(', ')}.`;
}
