import type { ApiMessage, ApiMessageState, ApiNotification } from '@postern/client';
import { type Command, Option } from 'commander';
import { newCommand } from '../command.ts';
import type { CliContext } from '../context.ts';
import { Failure } from '../exit.ts';
import { renderObject } from '../output/object.ts';
import type { Column } from '../output/table.ts';
import { localTime } from '../output/times.ts';
import { ALL_SUMMARY, CURSOR_SUMMARY, limitOption, type PageOptions, showPages } from '../paged-list.ts';
import { openSession, type Session, showList, showResult } from '../session.ts';

const STATES: readonly ApiMessageState[] = ['pending', 'delivered', 'dead', 'disabled'];

const COLUMNS: readonly Column<ApiNotification>[] = [
  { title: 'URL', value: ({ url }) => url, isWhole: true },
  { title: 'STATE', value: ({ state }) => state },
  { title: 'EVENTS', value: ({ events }) => events.join(', ') },
  { title: 'DELIVERED', value: ({ deliveredAt }) => (deliveredAt === undefined ? '' : localTime(deliveredAt)) },
  { title: 'LAST ERROR', value: ({ lastError }) => lastError ?? '' },
];

const MESSAGE_COLUMNS: readonly Column<ApiMessage>[] = [
  { title: 'ID', value: ({ id }) => id, isWhole: true },
  { title: 'STATE', value: ({ state }) => state },
  { title: 'TYPE', value: ({ type }) => type },
  { title: 'URL', value: ({ url }) => url ?? '(removed)' },
  { title: 'TRIES', value: ({ attempts }) => attempts },
  { title: 'LAST ERROR', value: ({ lastError }) => lastError ?? '' },
  { title: 'MADE', value: ({ createdAt }) => localTime(createdAt) },
];

interface MessageOptions extends PageOptions {
  readonly state?: ApiMessageState;
}

export function notificationsCommand(context: CliContext): Command {
  const notifications = newCommand(context, 'notifications', 'Who is told of events, and what became of it');
  addEndpoints(notifications, context);
  addMessages(notifications, context);
  return notifications;
}

function addEndpoints(notifications: Command, context: CliContext): void {
  notifications
    .command('list')
    .description('List the endpoints, and how they fare')
    .action(async (_options: object, command: Command) => {
      const session = openSession(context, command);
      const items = await session.client.notifications.list();
      showList(session, { items, columns: COLUMNS, none: 'No endpoints. A configuration document names them.' });
    });
  notifications
    .command('show <url>')
    .description('Show one endpoint, by its URL or its id')
    .action(async (place: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      const endpoint = await findEndpoint(session, place);
      showResult(session, endpoint, renderObject(endpoint));
    });
  notifications
    .command('enable <url>')
    .description('Send to an endpoint again that answered 410')
    .action(async (place: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      const { id, url } = await findEndpoint(session, place);
      const endpoint = await session.client.notifications.enable(id);
      const missed = 'what was not delivered meanwhile: postern notifications messages --state disabled';
      showResult(session, endpoint, `${url} is sent to again; ${missed}`);
    });
}

function addMessages(notifications: Command, context: CliContext): void {
  notifications
    .command('messages')
    .description('List messages, newest first')
    .addOption(new Option('--state <state>', 'Such as dead').choices(STATES))
    .addOption(limitOption('Messages'))
    .option('--cursor <cursor>', CURSOR_SUMMARY)
    .option('--all', ALL_SUMMARY)
    .action(({ limit, cursor, all, ...filter }: MessageOptions, command: Command) => {
      const session = openSession(context, command);
      return showPages(
        session,
        { limit, cursor, all },
        {
          list: (page) => session.client.notifications.messages({ ...filter, ...page }),
          columns: MESSAGE_COLUMNS,
          none: 'No messages.',
        },
      );
    });
  notifications
    .command('replay <id>')
    .description('Send a message once more, at once')
    .action(async (id: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      const message = await session.client.notifications.replay(id);
      showResult(session, message, `Message ${id} is sent once more, to ${message.url ?? 'nobody'}.`);
    });
}

async function findEndpoint({ client }: Session, place: string): Promise<ApiNotification> {
  const endpoints = await client.notifications.list();
  const found = endpoints.find(({ id, url }) => id === place || url === place || url === hrefOf(place));
  if (found === undefined) throw new Failure(`there is no endpoint ${place}; "postern notifications list" shows them`);
  return found;
}

/** As it is stored, for the spellings that people use. */
function hrefOf(place: string): string | undefined {
  return URL.parse(place)?.href;
}
