import type { ApiPage, EventQuery } from '@postern/client';
import type { Entry } from '@postern/schemas';
import { type Command, Option } from 'commander';
import { newCommand } from '../command.ts';
import type { CliContext } from '../context.ts';
import { Misuse } from '../exit.ts';
import { renderObject } from '../output/object.ts';
import type { Column } from '../output/table.ts';
import { localTime, readTime } from '../output/times.ts';
import { gather, openSession, type Session, showList, showResult } from '../session.ts';

const COLUMNS: readonly Column<Entry>[] = [
  { title: 'TIME', value: ({ at }) => localTime(at) },
  { title: 'TYPE', value: ({ type, result }) => (result === undefined ? type : `${type} ${result}`) },
  { title: 'WHO', value: ({ agent, actor }) => agent ?? actor },
  { title: 'WHAT', value: whatOf },
  { title: 'DECISION', value: ({ decision, rule }) => (rule === undefined ? decision : `${decision} (${rule})`) },
  { title: 'STATUS', value: ({ status, code }) => code ?? status },
  { title: 'ID', value: ({ id }) => id, isWhole: true },
];

interface ListOptions {
  readonly requestId?: string;
  readonly agent?: string;
  readonly integration?: string;
  readonly action?: string;
  readonly decision?: 'allow' | 'deny' | 'require_approval';
  readonly type?: string;
  readonly from?: string;
  readonly to?: string;
  readonly limit?: number;
  readonly cursor?: string;
  readonly all?: boolean;
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
    .addOption(new Option('--limit <number>', 'Entries at most (default: 50)').argParser(readLimit))
    .option('--cursor <cursor>', 'Go on where the page before ended')
    .option('--all', 'Follow all pages')
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

/** The control plane gives at most 100 entries a page; more are put together here. */
const PAGE_ITEMS = 100;
const LIMIT_DEFAULT = 50;

async function list(session: Session, { all, limit, cursor, from, to, ...filters }: ListOptions): Promise<void> {
  if (all === true && (limit !== undefined || cursor !== undefined)) {
    throw new Misuse('--all takes neither --limit nor --cursor');
  }
  const at = { now: session.context.now(), side: 'before' } as const;
  const query = {
    ...filters,
    ...(from === undefined ? {} : { from: readTime(from, '--from', at) }),
    ...(to === undefined ? {} : { to: readTime(to, '--to', at) }),
  };
  const page: ApiPage<Entry> = all
    ? { items: await gather(session.client.audit.allEvents(query)) }
    : await readUpTo(session, query, { limit: limit ?? LIMIT_DEFAULT, cursor });
  showList(session, { ...page, columns: COLUMNS, none: 'No entries.' });
  if (page.nextCursor !== undefined && !session.json) {
    session.context.note(`There are more: --all, or --cursor ${page.nextCursor}\n`);
  }
}

async function readUpTo(
  { client }: Session,
  query: EventQuery,
  { limit, cursor }: { readonly limit: number; readonly cursor: string | undefined },
): Promise<ApiPage<Entry>> {
  const items: Entry[] = [];
  let nextCursor = cursor;
  do {
    const place = nextCursor === undefined ? {} : { cursor: nextCursor };
    const page = await client.audit.events({ ...query, ...place, limit: Math.min(PAGE_ITEMS, limit - items.length) });
    items.push(...page.items);
    nextCursor = page.nextCursor;
  } while (nextCursor !== undefined && items.length < limit);
  return { items, ...(nextCursor === undefined ? {} : { nextCursor }) };
}

function readLimit(text: string): number {
  const limit = Number(text);
  if (/^\d+$/.test(text) && limit >= 1 && limit <= 1_000_000) return limit;
  throw new Misuse(`--limit: "${text}" is not a number from 1 to 1000000`);
}

/** The call, or what an administrative entry is about. */
function whatOf({ integration, method, url, subject }: Entry): string | undefined {
  const call = [method, url ?? integration].filter((part) => part !== undefined).join(' ');
  return call === '' ? subject : call;
}
