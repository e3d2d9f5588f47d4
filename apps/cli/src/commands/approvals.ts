import type { ApiApprovalStatus, GrantAsked } from '@postern/client';
import { type Command, Option } from 'commander';
import { newCommand } from '../command.ts';
import type { CliContext } from '../context.ts';
import { Misuse } from '../exit.ts';
import { approvalColumns, renderApproval } from '../output/approval.ts';
import { localTime, readTime } from '../output/times.ts';
import { ALL_SUMMARY, CURSOR_SUMMARY, limitOption, type PageOptions, showPages } from '../paged-list.ts';
import { openSession, type Session, showResult } from '../session.ts';
import { watchApprovals } from './approvals-watch.ts';

const STATUSES: readonly ApiApprovalStatus[] = [
  'pending',
  'approved',
  'denied',
  'expired',
  'cancelled',
  'executing',
  'executed',
  'failed',
  'unknown',
];

interface ListOptions extends PageOptions {
  readonly status?: ApiApprovalStatus;
  readonly agent?: string;
}

export function approvalsCommand(context: CliContext): Command {
  const approvals = newCommand(context, 'approvals', 'Calls that wait for a person, and what was decided');
  approvals
    .command('list')
    .description('List approvals, newest first')
    .addOption(new Option('--status <status>', 'As it is now, such as pending').choices(STATUSES))
    .option('--agent <name>', 'Of one agent')
    .addOption(limitOption('Approvals'))
    .option('--cursor <cursor>', CURSOR_SUMMARY)
    .option('--all', ALL_SUMMARY)
    .action(({ limit, cursor, all, ...filter }: ListOptions, command: Command) => {
      const session = openSession(context, command);
      return showPages(
        session,
        { limit, cursor, all },
        {
          list: (page) => session.client.approvals.list({ ...filter, ...page }),
          columns: approvalColumns(context.now()),
          none: 'No approvals.',
        },
      );
    });
  approvals
    .command('show <id>')
    .description('Show one, with the exact request that it is about')
    .action(async (id: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      const approval = await session.client.approvals.get(id);
      showResult(session, approval, renderApproval(approval, context.now()));
    });
  addDecisions(approvals, context);
  approvals
    .command('watch')
    .description('Tell of approvals as they come, until Ctrl-C')
    .action((_options: object, command: Command) => watchApprovals(openSession(context, command)));
  return approvals;
}

interface ApproveOptions {
  readonly grant?: string;
  readonly note?: string;
}

interface DenyOptions {
  readonly reason: string;
  readonly until?: string;
}

function addDecisions(approvals: Command, context: CliContext): void {
  approvals
    .command('approve <id>')
    .description('Approve the request that "show" shows')
    .option('--grant <kind>', 'once (the default), times:N, until:TIME (or a duration, until:12h), or rule')
    .option('--note <text>', 'Why, for the log')
    .action((id: string, options: ApproveOptions, command: Command) => {
      const grant = options.grant === undefined ? undefined : readGrant(options.grant, context.now());
      return approve(openSession(context, command), id, { grant, note: options.note });
    });
  approvals
    .command('deny <id>')
    .description('Deny the request, which ends its approval')
    .requiredOption('--reason <text>', 'Why, for the log')
    .option('--until <time>', 'Ask nobody about the same call until then, or 12h for so long (default: a minute)')
    .action(async (id: string, { reason, until }: DenyOptions, command: Command) => {
      const at = { now: context.now(), side: 'after' } as const;
      const rule = until === undefined ? {} : { rule: { expiresAt: readTime(until, '--until', at) } };
      const session = openSession(context, command);
      const denied = await session.client.approvals.deny(id, { reason, ...rule });
      const held =
        denied.deniedUntil === undefined ? '' : ` The same call asks nobody until ${localTime(denied.deniedUntil)}.`;
      showResult(session, denied, `Denied.${held}`);
    });
}

async function approve(
  session: Session,
  id: string,
  { grant, note }: { readonly grant: GrantAsked | undefined; readonly note: string | undefined },
): Promise<void> {
  const { client } = session;
  const approval = await client.approvals.approve(id, {
    ...(grant === undefined ? {} : { grant }),
    ...(note === undefined ? {} : { note }),
  });
  if (session.json || approval.missing !== undefined) {
    return showResult(session, approval, `Your yes is noted. ${approval.missing?.words ?? ''}.`);
  }
  const { grants } = await client.approvals.get(id);
  showResult(session, approval, ['Approved.', ...grants.slice(0, 1).map(({ words }) => words)].join(' '));
}

/** `once`, `rule`, `times:3`, `until:2026-12-31T18:00` or `until:12h`. */
function readGrant(text: string, now: number): GrantAsked {
  const [kind, value] = splitOnce(text);
  if ((kind === 'once' || kind === 'rule') && value === undefined) return { kind };
  if (kind === 'times' && value !== undefined && /^[1-9]\d{0,8}$/.test(value)) return { kind, times: Number(value) };
  if (kind === 'until' && value !== undefined)
    return { kind, until: readTime(value, '--grant until', { now, side: 'after' }) };
  throw new Misuse(`--grant: "${text}" is none of once, times:N, until:TIME, rule`);
}

function splitOnce(text: string): readonly [kind: string, value: string | undefined] {
  const colon = text.indexOf(':');
  return colon === -1 ? [text, undefined] : [text.slice(0, colon), text.slice(colon + 1)];
}
