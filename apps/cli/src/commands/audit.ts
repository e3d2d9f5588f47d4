import type { Entry } from '@postern/schemas';
import { type Command, Option } from 'commander';
import { newCommand } from '../command.ts';
import type { CliContext } from '../context.ts';
import { renderObject } from '../output/object.ts';
import type { Column } from '../output/table.ts';
import { localTime, readTime } from '../output/times.ts';
import { ALL_SUMMARY, CURSOR_SUMMARY, limitOption, type PageOptions, showPages } from '../paged-list.ts';
import { openSession, type Session, showResult } from '../session.ts';

const COLUMNS: readonly Column<Entry>[] = [
  { title: 'TIME', value: ({ at }) => localTime(at) },
  { title: 'TYPE', value: ({ type, result }) => (result === undefined ? type : `${type} ${result}`) },
  { title: 'WHO', value: ({ agent, actor }) => actor ?? agent },
  { title: 'WHAT', value: whatOf },
  { title: 'DECISION', value: ({ decision, rule }) => (rule === undefined ? decision : `${decision} (${rule})`) },
  { title: 'STATUS', value: ({ status, code }) => code ?? status },
  { title: 'ID', value: ({ id }) => id, isWhole: true },
];

interface ListOptions extends PageOptions {
  readonly requestId?: string;
  readonly agent?: string;
  readonly integration?: string;
  readonly action?: string;
  readonly decision?: 'allow' | 'deny' | 'require_approval';
  readonly type?: string;
  readonly from?: string;
  readonly to?: string;
}

export function auditCommand(context: CliContext): Command {
  const audit = newCommand(context, 'audit', 'What was done, and who allowed it');
  audit
    .command('list')
    .description('Search the audit log, newest first')
    .option('--request-id <id>', 'Of one call')
    .option('--agent <name>', 'Of one agent')
    .option('--integration <name>', 'To one integration')
    .option('--action <name>', 'Of one action')
    .addOption(new Option('--decision <outcome>', 'With this outcome').choices(['allow', 'deny', 'require_approval']))
    .option('--type <type>', 'Such as intent, outcome or denied')
    .option('--from <time>', 'From this time on, or 2h for the last two hours')
    .option('--to <time>', 'Before this time')
    .addOption(limitOption('Entries'))
    .option('--cursor <cursor>', CURSOR_SUMMARY)
    .option('--all', ALL_SUMMARY)
    .action((options: ListOptions, command: Command) => list(openSession(context, command), options));
  audit
    .command('show <id>')
    .description('Show one entry')
    .action(async (id: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      const entry = await session.client.audit.event(id);
      showResult(session, entry, renderObject(entry));
    });
  return audit;
}

async function list(session: Session, { all, limit, cursor, from, to, ...filters }: ListOptions): Promise<void> {
  const at = { now: session.context.now(), side: 'before' } as const;
  const query = {
    ...filters,
    ...(from === undefined ? {} : { from: readTime(from, '--from', at) }),
    ...(to === undefined ? {} : { to: readTime(to, '--to', at) }),
  };
  await showPages(
    session,
    { all, limit, cursor },
    {
      list: (page) => session.client.audit.events({ ...query, ...page }),
      columns: COLUMNS,
      none: 'No entries.',
    },
  );
}

/** The call, or what an administrative entry is about. */
function whatOf({ integration, method, url, subject }: Entry): string | undefined {
  const call = [method, url ?? integration].filter((part) => part !== undefined).join(' ');
  return call === '' ? subject : call;
}
