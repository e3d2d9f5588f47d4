import type { Command } from 'commander';
import { apiPath, listAll } from '../admin-api.ts';
import { collect, newCommand } from '../command.ts';
import type { CliContext } from '../context.ts';
import { Misuse } from '../exit.ts';
import { renderObject } from '../output/object.ts';
import type { Column } from '../output/table.ts';
import { localTime } from '../output/times.ts';
import { readSecretValue, type SecretSourceOptions } from '../secret-value.ts';
import { openSession, showList, showResult } from '../session.ts';

interface Secret {
  readonly name: string;
  readonly environments?: readonly string[];
  readonly activeVersion: number;
  readonly updatedAt: string;
}

interface Version {
  readonly version: number;
  readonly active: boolean;
  readonly createdAt: string;
}

const COLUMNS: readonly Column<Secret>[] = [
  { title: 'NAME', value: ({ name }) => name },
  { title: 'ENVIRONMENTS', value: ({ environments }) => environments?.join(', ') ?? '(all)' },
  { title: 'VERSION', value: ({ activeVersion }) => activeVersion },
  { title: 'WRITTEN', value: ({ updatedAt }) => localTime(updatedAt) },
];

const VERSION_COLUMNS: readonly Column<Version>[] = [
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
      const path = apiPath('secrets', name);
      const value = await readSecretValue(context, name, options);
      const session = openSession(context, command);
      const secret = await session.api.send<Secret>('PUT', path, { value, ...environments });
      showResult(session, secret, `Secret ${secret.name} has version ${secret.activeVersion}, which is active.`);
    });
  secrets
    .command('activate <name> <version>')
    .description('Go back to an earlier version')
    .action(async (name: string, version: string, _options: object, command: Command) => {
      if (!/^[1-9]\d{0,9}$/.test(version)) throw new Misuse(`"${version}" is not the number of a version`);
      const session = openSession(context, command);
      const path = apiPath('secrets', name, 'versions', version, 'activate');
      const secret = await session.api.send<Secret>('POST', path);
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
      const items = await listAll<Secret>(session.api, apiPath('secrets'));
      showList(session, { items, columns: COLUMNS, none: 'No secrets.' });
    });
  secrets
    .command('show <name>')
    .description('Show one secret, without its value')
    .action(async (name: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      const secret = await session.api.get<Secret>(apiPath('secrets', name));
      showResult(session, secret, renderObject(secret));
    });
  secrets
    .command('versions <name>')
    .description('List the versions of a secret, newest first')
    .action(async (name: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      const { items } = await session.api.get<{ items: readonly Version[] }>(apiPath('secrets', name, 'versions'));
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
