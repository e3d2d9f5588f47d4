import type { ApiClaim, ApiClaimOutcome, ApiClaimState } from '@postern/client';
import { type Command, Option } from 'commander';
import { newCommand } from '../command.ts';
import type { CliContext } from '../context.ts';
import { renderObject } from '../output/object.ts';
import type { Column } from '../output/table.ts';
import { localTime } from '../output/times.ts';
import { ALL_SUMMARY, CURSOR_SUMMARY, limitOption, type PageOptions, showPages } from '../paged-list.ts';
import { openSession, showResult } from '../session.ts';

const STATES: readonly ApiClaimState[] = [
  'reserved',
  'awaiting_approval',
  'dispatching',
  'succeeded',
  'failed_not_sent',
  'failed_final',
  'unknown',
];
const OUTCOMES: readonly ApiClaimOutcome[] = ['done', 'not_done', 'retry'];

const COLUMNS: readonly Column<ApiClaim>[] = [
  { title: 'ID', value: ({ id }) => id, isWhole: true },
  { title: 'STATE', value: ({ state, retryAllowed }) => (retryAllowed ? `${state}, retry allowed` : state) },
  { title: 'AGENT', value: ({ agent }) => agent },
  { title: 'INTEGRATION', value: ({ integration }) => integration },
  { title: 'KEY', value: ({ key }) => key },
  { title: 'SENT', value: ({ dispatches }) => dispatches },
  { title: 'MADE', value: ({ createdAt }) => localTime(createdAt) },
  { title: 'CALL', value: ({ requestId }) => requestId },
];

interface ListOptions extends PageOptions {
  readonly state?: ApiClaimState;
  readonly agent?: string;
  readonly integration?: string;
}

interface ResolveOptions {
  readonly outcome: ApiClaimOutcome;
  readonly note: string;
}

export function claimsCommand(context: CliContext): Command {
  const claims = newCommand(context, 'claims', 'Idempotency keys, and what became of their calls');
  claims
    .command('list')
    .description('List claims, newest first')
    .addOption(new Option('--state <state>', 'As it is now, such as unknown').choices(STATES))
    .option('--agent <name>', 'Of one agent')
    .option('--integration <name>', 'To one integration')
    .addOption(limitOption('Claims'))
    .option('--cursor <cursor>', CURSOR_SUMMARY)
    .option('--all', ALL_SUMMARY)
    .action(({ limit, cursor, all, ...filter }: ListOptions, command: Command) => {
      const session = openSession(context, command);
      return showPages(
        session,
        { limit, cursor, all },
        {
          list: (page) => session.client.claims.list({ ...filter, ...page }),
          columns: COLUMNS,
          none: 'No claims.',
        },
      );
    });
  claims
    .command('show <id>')
    .description('Show one claim')
    .action(async (id: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      const claim = await session.client.claims.get(id);
      showResult(session, claim, renderObject(claim));
    });
  claims
    .command('resolve <id>')
    .description('Say what became of a call whose outcome is unknown')
    .addOption(
      new Option('--outcome <outcome>', 'done: it took effect; not_done: it did not; retry: let one re-send through')
        .choices(OUTCOMES)
        .makeOptionMandatory(),
    )
    .requiredOption('--note <text>', 'How you know, for the log')
    .action(async (id: string, resolution: ResolveOptions, command: Command) => {
      const session = openSession(context, command);
      const claim = await session.client.claims.resolve(id, resolution);
      showResult(session, claim, `Key ${claim.key} of agent ${claim.agent}: ${AFTER[resolution.outcome]}.`);
    });
  return claims;
}

const AFTER: Readonly<Record<ApiClaimOutcome, string>> = {
  done: 'it took effect, and is not sent again',
  not_done: 'it took no effect; the key may be used again',
  retry: 'one re-send is let through',
};
