import type { Command } from 'commander';
import { newCommand } from '../command.ts';
import type { CliContext } from '../context.ts';
import { GRANT_COLUMNS } from '../output/approval.ts';
import { renderObject } from '../output/object.ts';
import { ALL_SUMMARY, CURSOR_SUMMARY, limitOption, type PageOptions, showPages } from '../paged-list.ts';
import { openSession, showResult } from '../session.ts';

interface ListOptions extends PageOptions {
  readonly agent?: string;
  readonly usable?: boolean;
}

export function grantsCommand(context: CliContext): Command {
  const grants = newCommand(context, 'grants', 'What approvals let pass');
  grants
    .command('list')
    .description('List grants, newest first')
    .option('--agent <name>', 'Of one agent')
    .option('--usable', 'Only those that let calls pass now')
    .addOption(limitOption('Grants'))
    .option('--cursor <cursor>', CURSOR_SUMMARY)
    .option('--all', ALL_SUMMARY)
    .action(({ limit, cursor, all, ...filter }: ListOptions, command: Command) => {
      const session = openSession(context, command);
      return showPages(
        session,
        { limit, cursor, all },
        {
          list: (page) => session.client.grants.list({ ...filter, ...page }),
          columns: GRANT_COLUMNS,
          none: 'No grants.',
        },
      );
    });
  grants
    .command('show <id>')
    .description('Show one grant')
    .action(async (id: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      const grant = await session.client.grants.get(id);
      showResult(session, grant, renderObject(grant));
    });
  grants
    .command('revoke <id>')
    .description('Take a grant back; a call that is on its way is not called back')
    .option('--reason <text>', 'Why, for the log')
    .action(async (id: string, options: { readonly reason?: string }, command: Command) => {
      const session = openSession(context, command);
      const grant = await session.client.grants.revoke(id, options);
      showResult(session, grant, `Revoked grant ${grant.id} of agent ${grant.agent}.`);
    });
  return grants;
}
