import type { AdminClient, PolicyDraft, SimulationQuery } from '@postern/client';
import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { Failure, Misuse } from '../exit.ts';
import { withLinesOf } from '../lines-of-file.ts';
import { countWords } from '../output/count-words.ts';
import { renderSimulation } from '../output/simulation.ts';
import { parseDuration, readTime } from '../output/times.ts';
import { visibleText } from '../output/visible-text.ts';
import { openSession, showResult } from '../session.ts';
import { type AskWindow, gatherWindows } from '../simulation-windows.ts';
import { readYamlFile, type YamlFile } from '../yaml-file.ts';

interface SimulateOptions {
  readonly id?: string;
  readonly since?: string;
  readonly from?: string;
  readonly to?: string;
  readonly calls?: string;
  readonly all?: boolean;
  readonly failOnChange?: boolean;
}

/** Calls of one answer: few enough that the person who waits sees it go on. */
const WINDOW_CALLS = 5_000;
const CALLS_DEFAULT = 100_000;

export function addSimulate(policy: Command, context: CliContext): void {
  policy
    .command('simulate [draft]')
    .description('What rules that are not in force would have made of recorded calls; changes and sends nothing')
    .option('--id <id>', 'Instead of a file: a stored version, by id or number')
    .option('--since <duration>', 'How far back, such as 24h or 7d (default: 24h)')
    .option('--from <time>', 'From this time on, instead of --since')
    .option('--to <time>', 'Before this time (default: now)')
    .option('--calls <number>', `Calls looked at, at most; the newest (default: ${CALLS_DEFAULT})`)
    .option('--all', 'List every call, not the first 50 of each kind')
    .option('--fail-on-change', 'Exit with 1 when an outcome would change or cannot be told')
    .addHelpText('after', HELP_END)
    .action(async (draft: string | undefined, options: SimulateOptions, command: Command) => {
      await simulate(context, draft, options, command);
    });
}

const HELP_END = `
The draft is a postern.yaml, of which "rules", "risk" and "global" count, or just "rules: [...]", or "-" for standard input.
What a section lacks stays as it is in force; so do integrations and agents.`;

async function simulate(
  context: CliContext,
  draft: string | undefined,
  options: SimulateOptions,
  command: Command,
): Promise<void> {
  if ((draft === undefined) === (options.id === undefined)) throw new Misuse('give a draft, or --id');
  const query = rangeOf(options, context.now());
  const callsMax = readCalls(options.calls);
  const read = draft === undefined ? undefined : await readDraft(context, draft);
  const session = openSession(context, command, read?.tenant);
  const ask = askFor(session.client, read, options.id);
  const simulation = await gatherWindows(ask, query, {
    callsMax,
    windowCalls: WINDOW_CALLS,
    onProgress: (text) => context.note(`${text}\n`),
  });
  if (simulation.truncated && !session.json) {
    context.note(`Calls before these were not looked at: --calls ${callsMax * 10} looks at more.\n`);
  }
  showResult(
    session,
    simulation,
    renderSimulation(simulation, { all: options.all === true, columns: context.columns }),
  );
  const open = simulation.changed.length + simulation.undetermined.length;
  if (options.failOnChange === true && open > 0) {
    throw new Failure(`${countWords(open, 'call')} would change, or cannot be told; asked for by --fail-on-change.`);
  }
}

function rangeOf({ since, from, to }: SimulateOptions, now: number): SimulationQuery {
  if (since !== undefined && from !== undefined) throw new Misuse('give --since or --from, not both');
  if (since !== undefined && parseDuration(since) === undefined) {
    throw new Misuse(`--since: "${since}" is not a duration such as 90m, 24h or 7d`);
  }
  const at = { now, side: 'before' } as const;
  return {
    ...(from === undefined ? { since: since ?? '24h' } : { from: readTime(from, '--from', at) }),
    ...(to === undefined ? {} : { to: readTime(to, '--to', at) }),
  };
}

function readCalls(text: string | undefined): number {
  if (text === undefined) return CALLS_DEFAULT;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new Misuse(`--calls: "${text}" is not a number of calls`);
}

interface ReadDraft {
  readonly file: YamlFile;
  readonly draft: PolicyDraft;
  readonly tenant: string | undefined;
}

const SIMULATED = ['rules', 'risk', 'global'] as const;
/** The other sections of `postern.yaml` and of files of tests. */
const OTHERS: ReadonlySet<string> = new Set([
  ...['version', 'tenant', 'templates', 'redaction', 'secrets', 'integrations', 'agents', 'notifications', 'tests'],
]);

async function readDraft(context: CliContext, name: string): Promise<ReadDraft> {
  const file = await readYamlFile(context, name);
  const document = file.value;
  if (typeof document !== 'object' || document === null || Array.isArray(document)) {
    throw new Failure(`${file.name} must hold an object with rules`);
  }
  const members = document as Readonly<Record<string, unknown>>;
  const unknown = Object.keys(members).filter((key) => !OTHERS.has(key) && !SIMULATED.some((known) => known === key));
  if (unknown.length > 0) {
    const lines = unknown.map((key) => `${file.name}:${file.lineOf(key) ?? 1}: ${key}: is not a known field`);
    throw new Failure(`${file.name} is not a draft`, lines);
  }
  const sections = SIMULATED.filter((key) => members[key] !== undefined);
  if (sections.length === 0) throw new Failure(`${file.name} has neither rules nor risk nor global`);
  const others = ['templates', 'integrations', 'agents'].filter((key) => members[key] !== undefined);
  if (others.length > 0) {
    context.note(`${visibleText(file.name)}: ${others.join(', ')} stay as they are in force; the rest is simulated.\n`);
  }
  const tenant = members['tenant'];
  return {
    file,
    draft: Object.fromEntries(sections.map((key) => [key, members[key]])),
    tenant: typeof tenant === 'string' ? tenant : undefined,
  };
}

function askFor({ policyTrials }: AdminClient, read: ReadDraft | undefined, id = ''): AskWindow {
  if (read === undefined) return (query) => policyTrials.simulateVersion(id, query);
  return (query) => withLinesOf(read.file, policyTrials.simulate(read.draft, query));
}
