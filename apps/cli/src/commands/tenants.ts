import type { ApiTenant } from '@postern/client';
import type { Command } from 'commander';
import { newCommand } from '../command.ts';
import type { CliContext } from '../context.ts';
import { renderObject } from '../output/object.ts';
import type { Column } from '../output/table.ts';
import { localTime } from '../output/times.ts';
import { gather, openSession, showList, showResult } from '../session.ts';
import { addLimitsCommand } from './tenant-limits.ts';

const COLUMNS: readonly Column<ApiTenant>[] = [
  { title: 'NAME', value: ({ name }) => name, isWhole: true },
  { title: 'DISABLED', value: ({ disabled }) => disabled },
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
    .command('show <name>')
    .description('Show one tenant')
    .action(async (name: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      const tenant = await session.client.tenants.get(name);
      showResult(session, tenant, renderObject(tenant));
    });
  tenants
    .command('create <name>')
    .description('Create a tenant')
    .action(async (name: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      const tenant = await session.client.tenants.create(name);
      showResult(session, tenant, `Created tenant ${tenant.name}.`);
    });
  tenants
    .command('disable <name>')
    .description('Refuse the calls and the administrators of a tenant, and keep all that it has')
    .action(async (name: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      const tenant = await session.client.tenants.disable(name);
      showResult(session, tenant, `Disabled tenant ${tenant.name}: its calls and its administrators are refused.`);
    });
  tenants
    .command('enable <name>')
    .description('Serve a tenant again')
    .action(async (name: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      const tenant = await session.client.tenants.enable(name);
      showResult(session, tenant, `Enabled tenant ${tenant.name}.`);
    });
  addLimitsCommand(context, tenants);
  return tenants;
}
