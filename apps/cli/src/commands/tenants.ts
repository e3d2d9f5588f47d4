import type { Command } from 'commander';
import { apiPath, listAll } from '../admin-api.ts';
import { newCommand } from '../command.ts';
import type { CliContext } from '../context.ts';
import type { Column } from '../output/table.ts';
import { localTime } from '../output/times.ts';
import { openSession, showList, showResult } from '../session.ts';

interface Tenant {
  readonly name: string;
  readonly createdAt: string;
}

const COLUMNS: readonly Column<Tenant>[] = [
  { title: 'NAME', value: ({ name }) => name },
  { title: 'CREATED', value: ({ createdAt }) => localTime(createdAt) },
];

export function tenantsCommand(context: CliContext): Command {
  const tenants = newCommand(context, 'tenants', 'Isolated organisations');
  tenants
    .command('list')
    .description('List tenants')
    .action(async (_options: object, command: Command) => {
      const session = openSession(context, command);
      const items = await listAll<Tenant>(session.api, apiPath('tenants'));
      showList(session, { items, columns: COLUMNS, none: 'No tenants.' });
    });
  tenants
    .command('create <name>')
    .description('Create a tenant')
    .action(async (name: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      const tenant = await session.api.send<Tenant>('POST', apiPath('tenants'), { name });
      showResult(session, tenant, `Created tenant ${tenant.name}.`);
    });
  return tenants;
}
