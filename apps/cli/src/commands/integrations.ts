import type { ApiIntegration } from '@postern/client';
import type { IntegrationInput } from '@postern/schemas';
import { type Command, Option } from 'commander';
import { newCommand } from '../command.ts';
import type { CliContext } from '../context.ts';
import { Misuse } from '../exit.ts';
import { type IntegrationOptions, integrationFromOptions, withIntegrationOptions } from '../integration-options.ts';
import { withLinesOf } from '../lines-of-file.ts';
import { readObjectFile } from '../object-file.ts';
import { renderObject } from '../output/object.ts';
import type { Column } from '../output/table.ts';
import { gather, openSession, showList, showResult } from '../session.ts';
import type { YamlFile } from '../yaml-file.ts';

interface FileOption {
  readonly file?: string;
}

const COLUMNS: readonly Column<ApiIntegration>[] = [
  { title: 'NAME', value: ({ name }) => name, isWhole: true },
  { title: 'BASE URL', value: ({ baseUrl }) => baseUrl },
  {
    title: 'CREDENTIAL',
    value: ({ credential }) => (credential.type === 'none' ? 'none' : `${credential.type} (${credential.secret})`),
  },
  { title: 'ENVIRONMENTS', value: ({ environments }) => environments?.join(', ') ?? '(all)' },
  { title: 'TEMPLATE', value: ({ template }) => template ?? '-' },
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
      const items = await gather(session.client.integrations.all());
      showList(session, { items, columns: COLUMNS, none: 'No integrations.' });
    });
  integrations
    .command('show <name>')
    .description('Show one integration, as a file for "integrations update" would have it')
    .action(async (name: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      const integration = await session.client.integrations.get(name);
      showResult(session, integration, renderObject(integration));
    });
  addWrites(integrations, context);
  integrations
    .command('delete <name>')
    .description('Remove an integration')
    .action(async (name: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      await session.client.integrations.remove(name);
      showResult(session, { name, deleted: true }, `Deleted integration ${name}.`);
    });
  return integrations;
}

function addWrites(integrations: Command, context: CliContext): void {
  const fileOption = () => new Option('-f, --file <file>', 'Read it from a YAML or JSON file, or "-"');

  withIntegrationOptions(integrations.command('create [name]').description('Create an integration'))
    .addOption(fileOption())
    .action(async (name: string | undefined, options: IntegrationOptions & FileOption, command: Command) => {
      const { given, file } = await readGiven(context, name, options);
      if (given.name === undefined) throw new Misuse('name the integration, or give a file that does');
      const session = openSession(context, command);
      const integration = await withLinesOf(file, session.client.integrations.create(given as IntegrationInput));
      showResult(session, integration, `Created integration ${integration.name}.`);
    });

  withIntegrationOptions(integrations.command('update <name>'))
    .description('Change the members that are given; with a file, replace all')
    .addOption(fileOption())
    .action(async (name: string, options: IntegrationOptions & FileOption, command: Command) => {
      const { given, file } = await readGiven(context, name, options);
      const session = openSession(context, command);
      const { integrations: calls } = session.client;
      const answer = file === undefined ? calls.update(name, given) : calls.replace(name, given);
      const integration = await withLinesOf(file, answer);
      showResult(session, integration, `Updated integration ${integration.name}.`);
    });
}

interface Given {
  /** Whatever a file holds: the control plane judges it. */
  readonly given: Partial<IntegrationInput>;
  readonly file: YamlFile | undefined;
}

async function readGiven(
  context: CliContext,
  name: string | undefined,
  { file: fileName, ...options }: IntegrationOptions & FileOption,
): Promise<Given> {
  const members = integrationFromOptions(options);
  const hasMembers = Object.keys(members).length > 0;
  if (fileName !== undefined && hasMembers) throw new Misuse('give a file or options, not both');
  if (fileName === undefined && !hasMembers) throw new Misuse('give -f FILE, or options such as --base-url');
  const { object, file } =
    fileName === undefined ? { object: members, file: undefined } : await readObjectFile(context, fileName);
  return { given: name === undefined ? object : { ...object, name }, file };
}
