import { type Command, Option } from 'commander';
import { apiPath, listAll } from '../admin-api.ts';
import { newCommand } from '../command.ts';
import type { CliContext } from '../context.ts';
import { Misuse } from '../exit.ts';
import { type IntegrationOptions, integrationFromOptions, withIntegrationOptions } from '../integration-options.ts';
import { readObjectFile } from '../object-file.ts';
import { renderObject } from '../output/object.ts';
import type { Column } from '../output/table.ts';
import { openSession, showList, showResult } from '../session.ts';

interface Integration {
  readonly name: string;
  readonly baseUrl: string;
  readonly credential: { readonly type: string; readonly secret?: string };
  readonly environments?: readonly string[];
  readonly disabled: boolean;
  readonly actions: readonly unknown[];
}

interface FileOption {
  readonly file?: string;
}

const COLUMNS: readonly Column<Integration>[] = [
  { title: 'NAME', value: ({ name }) => name },
  { title: 'BASE URL', value: ({ baseUrl }) => baseUrl },
  {
    title: 'CREDENTIAL',
    value: ({ credential: { type, secret } }) => (secret === undefined ? type : `${type} (${secret})`),
  },
  { title: 'ENVIRONMENTS', value: ({ environments }) => environments?.join(', ') ?? '(all)' },
  { title: 'ACTIONS', value: ({ actions }) => actions.length },
  { title: 'STATE', value: ({ disabled }) => (disabled ? 'disabled' : 'enabled') },
];

export function integrationsCommand(context: CliContext): Command {
  const integrations = newCommand(context, 'integrations', 'Upstreams that agents may call');
  integrations
    .command('list')
    .description('List integrations')
    .action(async (_options: object, command: Command) => {
      const session = openSession(context, command);
      const items = await listAll<Integration>(session.api, apiPath('integrations'));
      showList(session, { items, columns: COLUMNS, none: 'No integrations.' });
    });
  integrations
    .command('show <name>')
    .description('Show one integration, as a file for "integrations update" would have it')
    .action(async (name: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      const integration = await session.api.get<Integration>(apiPath('integrations', name));
      showResult(session, integration, renderObject(integration));
    });
  addWrites(integrations, context);
  integrations
    .command('delete <name>')
    .description('Remove an integration')
    .action(async (name: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      await session.api.send('DELETE', apiPath('integrations', name));
      showResult(session, { name, deleted: true }, `Deleted integration ${name}.`);
    });
  return integrations;
}

function addWrites(integrations: Command, context: CliContext): void {
  const fileOption = () => new Option('-f, --file <file>', 'Read it from a YAML or JSON file, or "-"');

  withIntegrationOptions(integrations.command('create [name]').description('Create an integration'))
    .addOption(fileOption())
    .action(async (name: string | undefined, options: IntegrationOptions & FileOption, command: Command) => {
      const given = await readGiven(context, name, options);
      if (given.name === undefined) throw new Misuse('name the integration, or give a file that does');
      const session = openSession(context, command);
      const integration = await session.api.send<Integration>('POST', apiPath('integrations'), given);
      showResult(session, integration, `Created integration ${integration.name}.`);
    });

  withIntegrationOptions(integrations.command('update <name>'))
    .description('Change the members that are given; with a file, replace all')
    .addOption(fileOption())
    .action(async (name: string, options: IntegrationOptions & FileOption, command: Command) => {
      const given = await readGiven(context, name, options);
      const session = openSession(context, command);
      const method = options.file === undefined ? 'PATCH' : 'PUT';
      const integration = await session.api.send<Integration>(method, apiPath('integrations', name), given);
      showResult(session, integration, `Updated integration ${integration.name}.`);
    });
}

async function readGiven(
  context: CliContext,
  name: string | undefined,
  { file, ...options }: IntegrationOptions & FileOption,
): Promise<{ readonly name?: unknown }> {
  const members = integrationFromOptions(options);
  const hasMembers = Object.keys(members).length > 0;
  if (file !== undefined && hasMembers) throw new Misuse('give a file or options, not both');
  if (file === undefined && !hasMembers) throw new Misuse('give -f FILE, or options such as --base-url');
  const object = file === undefined ? members : await readObjectFile(context, file);
  return name === undefined ? object : { ...object, name };
}
