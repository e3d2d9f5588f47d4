import { type Command, Option } from 'commander';
import { collect } from './command.ts';
import { Misuse } from './exit.ts';

/** Options for the simple case of an integration; everything else is said in a file. */
export interface IntegrationOptions {
  readonly baseUrl?: string;
  readonly template?: string;
  readonly host?: readonly string[];
  readonly environment?: readonly string[];
  readonly credential?: string;
  readonly secret?: string;
  readonly credentialName?: string;
  readonly prefix?: string;
  readonly username?: string;
}

const CREDENTIAL_TYPES = ['none', 'bearer', 'header', 'query', 'basic'];

export function withIntegrationOptions(command: Command): Command {
  return command
    .option('--base-url <url>', 'Where the upstream is, such as https://api.example.com/v1')
    .option('--template <name@version>', 'The template whose actions it has, such as github@1')
    .option('--host <name>', "A host it answers on (default: the base URL's); may be repeated", collect)
    .option('--environment <name>', 'An environment it is for (default: all); may be repeated', collect)
    .addOption(new Option('--credential <type>', 'How its secret is sent').choices(CREDENTIAL_TYPES))
    .option('--secret <name>', 'The name of the secret')
    .option('--credential-name <name>', 'With --credential header or query: the name of the header or parameter')
    .option('--prefix <text>', 'With --credential header: what stands before the secret')
    .option('--username <name>', 'With --credential basic: the user name');
}

/** The members that the options give, in the form of `postern.yaml`. */
export function integrationFromOptions(options: IntegrationOptions): Record<string, unknown> {
  const credential = credentialOf(options);
  const { baseUrl, template, host, environment } = options;
  return {
    ...(baseUrl === undefined ? {} : { baseUrl }),
    ...(template === undefined ? {} : { template }),
    ...(host === undefined ? {} : { hosts: host }),
    ...(environment === undefined ? {} : { environments: environment }),
    ...(credential === undefined ? {} : { credential }),
  };
}

function credentialOf(options: IntegrationOptions): Record<string, string> | undefined {
  const { credential: type, secret, credentialName, prefix, username } = options;
  const members = Object.entries({ secret, name: credentialName, prefix, username });
  const given = members.filter((pair): pair is [string, string] => pair[1] !== undefined);
  if (type === undefined && given.length > 0) throw new Misuse('say with --credential how the secret is sent');
  return type === undefined ? undefined : { type, ...Object.fromEntries(given) };
}
