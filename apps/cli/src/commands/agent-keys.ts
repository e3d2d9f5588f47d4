import type { ApiAgentKey } from '@postern/client';
import type { KeyScope } from '@postern/schemas';
import { type Command, Option } from 'commander';
import { newCommand } from '../command.ts';
import type { CliContext } from '../context.ts';
import { Misuse } from '../exit.ts';
import { type ExpiryOptions, readExpiry } from '../expiry.ts';
import type { Column } from '../output/table.ts';
import { localTime } from '../output/times.ts';
import { openSession, type Session, showList, showResult } from '../session.ts';

/** As with the trust levels of agents: the type holds this to the schema. */
const KEY_SCOPES: Readonly<Record<KeyScope, true>> = { call: true, explain: true, buffer: true };

interface IssueOptions extends ExpiryOptions {
  readonly scope?: readonly KeyScope[];
}

export function agentKeysCommand(context: CliContext): Command {
  const keys = newCommand(context, 'keys', "An agent's keys");
  keys
    .command('issue <agent>')
    .description('Make a key and show it, this once')
    .option('--expires-at <time>', 'When the key ends, such as 2026-12-31T18:00')
    .option('--expires-in <duration>', 'How long the key lives, such as 30d')
    .addOption(
      new Option('--scope <scope>', 'What the key is for; may be repeated (default: all)').argParser(readScope),
    )
    .action((agent: string, options: IssueOptions, command: Command) =>
      issue(openSession(context, command), agent, options),
    );
  keys
    .command('list <agent>')
    .description("List an agent's keys; what is shown of a key is no secret")
    .action(async (agent: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      const items = await session.client.agents.listKeys(agent);
      showList(session, { items, columns: columnsAt(context.now()), none: `Agent ${agent} has no keys.` });
    });
  keys
    .command('revoke <agent> <key-id>')
    .description('Make a key worthless at once; it is named by its id, or by the key itself')
    .action(async (agent: string, given: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      const id = publicIdOf(given);
      await session.client.agents.revokeKey(agent, id);
      showResult(session, { agent, id, revoked: true }, `Revoked key ${id} of agent ${agent}.`);
    });
  return keys;
}

async function issue(session: Session, agent: string, options: IssueOptions): Promise<void> {
  const expiresAt = readExpiry(options, session.context.now());
  const { scope: scopes } = options;
  const issued = await session.client.agents.issueKey(agent, {
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(scopes === undefined ? {} : { scopes }),
  });
  showResult(session, issued, issued.key);
  if (session.json) return;
  const end = issued.expiresAt ? `valid until ${localTime(issued.expiresAt)}` : 'without an end';
  session.context.note(`Key ${issued.id} of agent ${agent}, ${end}; shown this once.\n`);
}

function readScope(value: string, earlier: readonly KeyScope[] = []): readonly KeyScope[] {
  if (isScope(value)) return [...earlier, value];
  throw new Misuse(`--scope: "${value}" is not one of ${Object.keys(KEY_SCOPES).join(', ')}`);
}

function isScope(value: string): value is KeyScope {
  return Object.hasOwn(KEY_SCOPES, value);
}

/** A whole key is taken too, so that a leaked one can be revoked as found; only its public part is sent. */
function publicIdOf(given: string): string {
  return /^pst_([a-z0-9]{10})_/.exec(given)?.[1] ?? given;
}

function columnsAt(now: number): readonly Column<ApiAgentKey>[] {
  return [
    { title: 'ID', value: ({ id }) => id, isWhole: true },
    { title: 'STATE', value: (key) => stateOf(key, now) },
    { title: 'SCOPES', value: ({ scopes }) => scopes.join(', ') },
    { title: 'CREATED', value: ({ createdAt }) => localTime(createdAt) },
    { title: 'EXPIRES', value: ({ expiresAt }) => (expiresAt === undefined ? 'never' : localTime(expiresAt)) },
    { title: 'LAST USED', value: ({ lastUsedAt }) => (lastUsedAt === undefined ? 'never' : localTime(lastUsedAt)) },
  ];
}

function stateOf({ revokedAt, expiresAt }: ApiAgentKey, now: number): string {
  if (revokedAt !== undefined) return 'revoked';
  return expiresAt !== undefined && Date.parse(expiresAt) <= now ? 'expired' : 'valid';
}
