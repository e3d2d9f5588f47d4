import type { ApiAgent } from '@postern/client';
import type { Agent, TrustLevel } from '@postern/schemas';
import { type Command, Option } from 'commander';
import { collect, newCommand } from '../command.ts';
import type { CliContext } from '../context.ts';
import { Misuse } from '../exit.ts';
import { renderObject } from '../output/object.ts';
import type { Column } from '../output/table.ts';
import { localTime } from '../output/times.ts';
import { gather, openSession, showList, showResult } from '../session.ts';
import { agentKeysCommand } from './agent-keys.ts';

/** Written again, because loading the schemas costs more time than the rest of the command; the type holds the two together. */
const TRUST_LEVELS: Readonly<Record<TrustLevel, true>> = {
  untrusted: true,
  low: true,
  medium: true,
  high: true,
  admin: true,
};

const COLUMNS: readonly Column<ApiAgent>[] = [
  { title: 'NAME', value: ({ name }) => name, isWhole: true },
  { title: 'OWNER', value: ({ owner }) => owner },
  { title: 'ROLES', value: ({ roles }) => roles.join(', ') },
  { title: 'TRUST', value: ({ trust }) => trust },
  { title: 'ENVIRONMENT', value: ({ environment }) => environment },
  { title: 'STATE', value: ({ disabled }) => (disabled ? 'disabled' : 'enabled') },
  { title: 'LAST USED', value: ({ lastUsedAt }) => (lastUsedAt === undefined ? 'never' : localTime(lastUsedAt)) },
];

/** As commander gives them: `--no-owner` makes `owner` false. */
interface AgentOptions {
  readonly owner?: string | false;
  readonly role?: string[] | false;
  readonly trust?: TrustLevel;
  readonly environment?: string | false;
  readonly address?: string[] | false;
}

export function agentsCommand(context: CliContext): Command {
  const agents = newCommand(context, 'agents', 'Callers, and their keys');
  agents
    .command('list')
    .description('List agents')
    .action(async (_options: object, command: Command) => {
      const session = openSession(context, command);
      const items = await gather(session.client.agents.all());
      showList(session, { items, columns: COLUMNS, none: 'No agents.' });
    });
  agents
    .command('show <name>')
    .description('Show one agent')
    .action(async (name: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      const agent = await session.client.agents.get(name);
      showResult(session, agent, renderObject(agent));
    });
  addCreate(agents, context);
  addUpdate(agents, context);
  addStates(agents, context);
  agents.addCommand(agentKeysCommand(context));
  return agents;
}

function addCreate(agents: Command, context: CliContext): void {
  withMembers(agents.command('create <name>').description('Create an agent; it can call once it has a key')).action(
    async (name: string, options: AgentOptions, command: Command) => {
      const session = openSession(context, command);
      const agent = await session.client.agents.create({ ...(membersOf(options) as Partial<Agent>), name });
      const next = `Give it a key with "postern agents keys issue ${agent.name}".`;
      showResult(session, agent, `Created agent ${agent.name}. ${next}`);
    },
  );
}

function addUpdate(agents: Command, context: CliContext): void {
  withMembers(agents.command('update <name>').description('Change the members that are given'))
    .option('--no-owner', 'Take the owner away')
    .option('--no-role', 'Take all roles away')
    .option('--no-environment', 'Take the environment away')
    .option('--no-address', 'Allow calls from any address')
    .action(async (name: string, options: AgentOptions, command: Command) => {
      const members = membersOf(options);
      if (Object.keys(members).length === 0) throw new Misuse('give at least one member to change');
      const session = openSession(context, command);
      const agent = await session.client.agents.update(name, members);
      showResult(session, agent, `Updated agent ${agent.name}.`);
    });
}

function addStates(agents: Command, context: CliContext): void {
  for (const [verb, disabled, summary] of [
    ['disable', true, 'Refuse all calls of an agent, at once'],
    ['enable', false, 'Allow an agent to call again'],
  ] as const) {
    agents
      .command(`${verb} <name>`)
      .description(summary)
      .action(async (name: string, _options: object, command: Command) => {
        const session = openSession(context, command);
        const agent = await session.client.agents.update(name, { disabled });
        showResult(session, agent, `Agent ${agent.name} is ${disabled ? 'disabled' : 'enabled'}.`);
      });
  }
  agents
    .command('delete <name>')
    .description('Remove an agent and its keys')
    .action(async (name: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      await session.client.agents.remove(name);
      showResult(session, { name, deleted: true }, `Deleted agent ${name}.`);
    });
}

function withMembers(command: Command): Command {
  return command
    .option('--owner <person>', 'The person answerable')
    .option('--role <name>', 'A role that rules can name; may be repeated', collect)
    .addOption(new Option('--trust <level>', 'How far it is trusted').choices(Object.keys(TRUST_LEVELS)))
    .option('--environment <name>', 'The environment whose secrets it may use')
    .option('--address <cidr>', 'A network it may call from; may be repeated', collect);
}

type AgentPatch = { readonly [K in 'owner' | 'roles' | 'trust' | 'environment' | 'addresses']?: Agent[K] | null };

/** Members in the form of the API; null takes one back to its default. */
function membersOf({ owner, role, trust, environment, address }: AgentOptions): AgentPatch {
  const given = { owner, roles: role, trust, environment, addresses: address };
  const members = Object.entries(given).filter(([, value]) => value !== undefined);
  return Object.fromEntries(members.map(([name, value]) => [name, value === false ? null : value]));
}
