import type { ApiTemplate } from '@postern/client';
import type { TemplateInput } from '@postern/schemas';
import type { Command } from 'commander';
import { newCommand } from '../command.ts';
import type { CliContext } from '../context.ts';
import { Failure, Misuse } from '../exit.ts';
import { withLinesOf } from '../lines-of-file.ts';
import { readObjectFile } from '../object-file.ts';
import { renderObject } from '../output/object.ts';
import type { Column } from '../output/table.ts';
import { localTime } from '../output/times.ts';
import { commonOptions, gather, openSession, showList, showResult } from '../session.ts';

interface FileOption {
  readonly file: string;
}

const COLUMNS: readonly Column<ApiTemplate>[] = [
  { title: 'TEMPLATE', value: ({ id }) => id, isWhole: true },
  { title: 'PROVIDER', value: ({ provider }) => provider },
  { title: 'TITLE', value: ({ title }) => title },
  { title: 'CREDENTIAL', value: ({ credential }) => credential.type },
  { title: 'ACTIONS', value: ({ actions }) => actions.length },
  { title: 'MADE', value: madeOf },
];

const VERSION_COLUMNS: readonly Column<ApiTemplate>[] = [
  { title: 'VERSION', value: ({ version }) => version },
  { title: 'ACTIONS', value: ({ actions }) => actions.length },
  { title: 'MADE', value: madeOf },
  { title: 'SHA-256', value: ({ contentHash }) => contentHash.slice(0, 12) },
];

export function templatesCommand(context: CliContext): Command {
  const templates = newCommand(context, 'templates', "Descriptions of providers' APIs, for integrations to use");
  addReads(templates, context);
  templates
    .command('check')
    .description('Look for faults in a template, without a gateway; "publish" also looks at what is published')
    .requiredOption('-f, --file <file>', 'A YAML or JSON file, or "-"')
    .action(async ({ file: fileName }: FileOption, command: Command) => {
      const { object, file } = await readObjectFile(context, fileName);
      // The checks of the control plane come with the control plane; nothing else here needs it.
      const { checkTemplateValue } = await import('@postern/admin');
      const { template, issues } = await checkTemplateValue(object);
      if (template === undefined) {
        const lines = issues.map(
          ({ field, message }) => `${file.name}:${file.lineOf(field) ?? 1}: ${field}: ${message}`,
        );
        throw new Failure(`${file.name} is no template that can be published`, lines);
      }
      const { name, version, actions } = template;
      const output = { context, json: commonOptions(command).json === true };
      showResult(output, template, `${name}@${version} is good: ${actions.length} actions.`);
    });
  templates
    .command('publish')
    .description('Publish a version, for good; the same again changes nothing')
    .requiredOption('-f, --file <file>', 'A YAML or JSON file, or "-"')
    .action(async ({ file: fileName }: FileOption, command: Command) => {
      const { object, file } = await readObjectFile(context, fileName);
      const session = openSession(context, command);
      // Whatever a file holds: the control plane judges it.
      const template = await withLinesOf(file, session.client.templates.publish(object as unknown as TemplateInput));
      showResult(
        session,
        template,
        `${template.id} is published. An integration uses it with: template: ${template.id}`,
      );
    });
  return templates;
}

function addReads(templates: Command, context: CliContext): void {
  templates
    .command('list')
    .description('List templates, own and built-in, the latest version of each')
    .action(async (_options: object, command: Command) => {
      const session = openSession(context, command);
      const items = await gather(session.client.templates.all());
      showList(session, { items, columns: COLUMNS, none: 'No templates.' });
    });
  templates
    .command('show <name>')
    .description('Show the latest version of a template, or with NAME@VERSION that one')
    .action(async (name: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      const template = await session.client.templates.get(name);
      showResult(session, template, renderObject(template));
    });
  templates
    .command('versions <name>')
    .description('List the versions of a template, newest first')
    .action(async (name: string, _options: object, command: Command) => {
      if (name.includes('@')) throw new Misuse('give the name alone, without a version');
      const session = openSession(context, command);
      const items = await gather(session.client.templates.allVersions(name));
      showList(session, { items, columns: VERSION_COLUMNS, none: 'No versions.' });
    });
}

function madeOf({ builtin, origin, createdAt }: ApiTemplate): string {
  if (builtin || createdAt === undefined) return 'built in';
  return `${localTime(createdAt)}${origin === 'config' ? ', by a document' : ''}`;
}
