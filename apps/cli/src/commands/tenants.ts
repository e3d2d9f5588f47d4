import type { ApiTenant } from '@postern/client';
import type { Command } from 'commander';
import { newCommand } from '../command.ts';
import type { CliContext } from '../context.ts';
import type { Column } from '../output/table.ts';
import { localTime } from '../output/times.ts';
import { gather, openSession, showList, showResult } from '../session.ts';

const COLUMNS: readonly Column<ApiTenant>[] = [
  { title: 'NAME', value: ({ name }) => name, isWhole: true },
  { title: 'CREATED', value: ({ createdAt }) => localTime(createdAt) },
];

export function tenantsCommand(context: CliContext): Command {
  const tenants = newCommand(context, 'tenants', 'Isolated organisations');
  tenants
    .command('list')
    .description('List tenants')
    .action(async (_options: object, command: Command) => {
      const session = openSession(context, command);
      const items = await gather(session.client.tenants.all());
      showList(session, { items, columns: COLUMNS, none: 'No tenants.' });
    });
  tenants
    .command('create <name>')
    .description('Create a tenant')
    .action(async (name: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      const tenant = await session.client.tenants.create(name);
      showResult(session, tenant, `Created tenant ${tenant.name}.`);
    });
  return tenants;
}
