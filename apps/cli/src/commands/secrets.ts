import type { ApiSecret, ApiSecretVersion } from '@postern/client';
import type { Command } from 'commander';
import { collect, newCommand } from '../command.ts';
import type { CliContext } from '../context.ts';
import { Misuse } from '../exit.ts';
import { renderObject } from '../output/object.ts';
import type { Column } from '../output/table.ts';
import { localTime } from '../output/times.ts';
import { readSecretValue, type SecretSourceOptions } from '../secret-value.ts';
import { gather, openSession, showList, showResult } from '../session.ts';

const COLUMNS: readonly Column<ApiSecret>[] = [
  { title: 'NAME', value: ({ name }) => name, isWhole: true },
  { title: 'ENVIRONMENTS', value: ({ environments }) => environments?.join(', ') ?? '(all)' },
  { title: 'VERSION', value: ({ activeVersion }) => activeVersion },
  { title: 'WRITTEN', value: ({ updatedAt }) => localTime(updatedAt) },
];

const VERSION_COLUMNS: readonly Column<ApiSecretVersion>[] = [
  { title: 'VERSION', value: ({ version }) => version },
  { title: 'ACTIVE', value: ({ active }) => active },
  { title: 'WRITTEN', value: ({ createdAt }) => localTime(createdAt) },
];

export function secretsCommand(context: CliContext): Command {
  const secrets = newCommand(context, 'secrets', 'Write-only values for credentials');
  addReads(secrets, context);
  secrets
    .command('set <name>')
    .description('Write a new version, read from standard input; the value is never an argument')
    .option('--from-env <variable>', 'Read the value from a variable of the environment')
    .option('--from-file <file>', 'Read the value from a file')
    .option(
      '--environment <name>',
      'An environment it is for; may be repeated (default: as before, at first all)',
      collect,
    )
    .option('--all-environments', 'For all environments')
    .action(async (name: string, options: SetOptions, command: Command) => {
      const environments = environmentsOf(options);
      const value = await readSecretValue(context, name, options);
      const session = openSession(context, command);
      const secret = await session.client.secrets.put(name, { value, ...environments });
      showResult(session, secret, `Secret ${secret.name} has version ${secret.activeVersion}, which is active.`);
    });
  secrets
    .command('activate <name> <version>')
    .description('Go back to an earlier version')
    .action(async (name: string, version: string, _options: object, command: Command) => {
      if (!/^[1-9]\d{0,9}$/.test(version)) throw new Misuse(`"${version}" is not the number of a version`);
      const session = openSession(context, command);
      const secret = await session.client.secrets.activate(name, Number(version));
      showResult(session, secret, `Version ${secret.activeVersion} of secret ${secret.name} is active.`);
    });
  return secrets;
}

function addReads(secrets: Command, context: CliContext): void {
  secrets
    .command('list')
    .description('List secrets; values cannot be read')
    .action(async (_options: object, command: Command) => {
      const session = openSession(context, command);
      const items = await gather(session.client.secrets.all());
      showList(session, { items, columns: COLUMNS, none: 'No secrets.' });
    });
  secrets
    .command('show <name>')
    .description('Show one secret, without its value')
    .action(async (name: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      const secret = await session.client.secrets.get(name);
      showResult(session, secret, renderObject(secret));
    });
  secrets
    .command('versions <name>')
    .description('List the versions of a secret, newest first')
    .action(async (name: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      const items = await session.client.secrets.versions(name);
      showList(session, { items, columns: VERSION_COLUMNS, none: 'No versions.' });
    });
}

interface SetOptions extends SecretSourceOptions {
  readonly environment?: readonly string[];
  readonly allEnvironments?: boolean;
}

function environmentsOf({ environment, allEnvironments }: SetOptions): { environments?: readonly string[] | null } {
  if (allEnvironments !== true) return environment === undefined ? {} : { environments: environment };
  if (environment !== undefined) throw new Misuse('give --environment or --all-environments, not both');
  return { environments: null };
}
