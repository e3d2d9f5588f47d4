import type { ApiAdmin, ApiAdminRole } from '@postern/client';
import { type Command, Option } from 'commander';
import { collect, newCommand } from '../command.ts';
import type { CliContext } from '../context.ts';
import { Misuse } from '../exit.ts';
import { readExpiry } from '../expiry.ts';
import { renderObject } from '../output/object.ts';
import type { Column } from '../output/table.ts';
import { localTime } from '../output/times.ts';
import { gather, openSession, type Session, showList, showResult } from '../session.ts';

const ROLES: readonly ApiAdminRole[] = ['owner', 'admin', 'approver', 'auditor', 'operator'];

const COLUMNS: readonly Column<ApiAdmin>[] = [
  { title: 'NAME', value: ({ name }) => name, isWhole: true },
  { title: 'ROLE', value: ({ role }) => role },
  { title: 'TENANT', value: ({ tenant }) => tenant ?? '(all)' },
  { title: 'GROUPS', value: ({ groups }) => groups.join(', ') },
  { title: 'EXPIRES', value: ({ expiresAt }) => expiresAt && localTime(expiresAt) },
  { title: 'REVOKED', value: ({ revokedAt }) => revokedAt && localTime(revokedAt) },
];

interface NewAdmin {
  readonly role: ApiAdminRole;
  readonly group?: readonly string[];
  readonly expiresAt?: string;
  readonly expiresIn?: string;
}

interface GroupOptions {
  readonly group?: readonly string[];
  /** False: `--no-groups`. */
  readonly groups: boolean;
}

export function adminsCommand(context: CliContext): Command {
  const admins = newCommand(context, 'admins', 'Administrators by token');
  admins
    .command('list')
    .description('List administrators of all tenants, or with --tenant of one')
    .action(async (_options: object, command: Command) => {
      const session = openSession(context, command);
      const { tenant } = command.optsWithGlobals<{ tenant?: string }>();
      const admins = await gather(session.client.admins.all());
      const items = tenant === undefined ? admins : admins.filter((admin) => admin.tenant === tenant);
      showList(session, { items, columns: COLUMNS, none: 'No administrators but the bootstrap owner.' });
    });
  admins
    .command('create <name>')
    .description('Create an administrator and show the token, this once')
    .addOption(new Option('--role <role>', 'What the token may do').choices(ROLES).makeOptionMandatory())
    .option('--group <name>', 'A group for approvals; may be repeated', collect)
    .option('--expires-at <time>', 'When the token ends, such as 2026-12-31T18:00')
    .option('--expires-in <duration>', 'How long the token lives, such as 30d')
    .action((name: string, options: NewAdmin, command: Command) =>
      create(openSession(context, command), name, options),
    );
  admins
    .command('show <name>')
    .description('Show one administrator')
    .action(async (name: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      const admin = await session.client.admins.get(name);
      showResult(session, admin, renderObject(admin));
    });
  admins
    .command('update <name>')
    .description('Replace the groups, which count for the approvals given from then on')
    .option('--group <name>', 'A group for approvals; may be repeated', collect)
    .option('--no-groups', 'In no group')
    .action((name: string, options: GroupOptions, command: Command) => {
      const groups = readGroups(options);
      return update(openSession(context, command), name, groups);
    });
  admins
    .command('revoke <name>')
    .description('Make a token worthless at once')
    .action(async (name: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      await session.client.admins.revoke(name);
      showResult(session, { name, revoked: true }, `Revoked administrator ${name}.`);
    });
  return admins;
}

function readGroups({ group, groups }: GroupOptions): readonly string[] {
  if ((group === undefined) === groups) throw new Misuse('give --group, as often as needed, or --no-groups');
  return group ?? [];
}

async function update(session: Session, name: string, groups: readonly string[]): Promise<void> {
  const admin = await session.client.admins.update(name, { groups });
  const words = admin.groups.length === 0 ? 'no group' : admin.groups.join(', ');
  showResult(session, admin, `Administrator ${admin.name} is in ${words}.`);
}

/** The tenant is the request's: an owner has none. */
async function create(session: Session, name: string, options: NewAdmin): Promise<void> {
  const { role, group } = options;
  const expiresAt = readExpiry(options, session.context.now());
  const created = await session.client.admins.create({
    name,
    role,
    ...(group === undefined ? {} : { groups: group }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  });
  showResult(session, created, created.token);
  if (!session.json) session.context.note(`Token of ${created.role} ${name}, shown this once.\n`);
}
