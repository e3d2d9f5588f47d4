import type { ApiTenantLimits } from '@postern/client';
import { TENANT_LIMIT_KINDS, TENANT_LIMITS, type TenantLimit, type TenantLimits } from '@postern/schemas';
import type { Command } from 'commander';
import { collect } from '../command.ts';
import type { CliContext } from '../context.ts';
import { Misuse } from '../exit.ts';
import { type Column, renderTable } from '../output/table.ts';
import { openSession, type Session, showResult } from '../session.ts';

interface LimitOptions {
  readonly set?: readonly string[];
  readonly unset?: readonly string[];
}

/** `tenants limits NAME`: shows them, or changes those that are named and leaves the others. */
export function addLimitsCommand(context: CliContext, tenants: Command): void {
  tenants
    .command('limits <name>')
    .description('Show what a tenant may have and do, or change it')
    .option('--set <limit=number>', 'Bound something, such as agents=10; may be repeated', collect)
    .option('--unset <limit>', 'Bound it no more; may be repeated', collect)
    .addHelpText('after', `\nLimits:\n${helpLines()}\n`)
    .action(async (name: string, options: LimitOptions, command: Command) => {
      const session = openSession(context, command);
      const { value, etag } = await session.client.tenants.getLimits(name);
      const changed = changedLimits(value.limits, options);
      if (changed === undefined) return showLimits(session, value);
      // What somebody else changed meanwhile is not overwritten.
      const ifMatch = etag === undefined ? {} : { ifMatch: etag };
      showLimits(session, await session.client.tenants.setLimits(name, changed, ifMatch));
    });
}

/** undefined: nothing is to be changed. @throws Misuse */
export function changedLimits(current: TenantLimits, { set = [], unset = [] }: LimitOptions): TenantLimits | undefined {
  if (set.length === 0 && unset.length === 0) return undefined;
  const changed = new Map<string, number | undefined>(Object.entries(current));
  for (const assignment of set) {
    const [, name, max] = /^([^=]*)=(\d+)$/.exec(assignment) ?? [];
    if (name === undefined || max === undefined) {
      throw new Misuse(`--set ${assignment}: give a limit and a number, such as agents=10`);
    }
    changed.set(limitNamed(name), Number(max));
  }
  for (const name of unset) changed.delete(limitNamed(name));
  return Object.fromEntries(changed) as TenantLimits;
}

function limitNamed(name: string): TenantLimit {
  const limit = TENANT_LIMITS.find((candidate) => candidate === name);
  if (limit === undefined) throw new Misuse(`there is no limit ${name}; there are: ${TENANT_LIMITS.join(', ')}`);
  return limit;
}

type Row = ApiTenantLimits & { readonly limit: TenantLimit };

const COLUMNS: readonly Column<Row>[] = [
  { title: 'LIMIT', value: ({ limit }) => limit, isWhole: true },
  { title: 'AT MOST', value: ({ limit, limits }) => limits[limit] },
  { title: 'NOW', value: ({ limit, usage }) => usage[limit] },
  { title: 'OF WHAT', value: ({ limit }) => TENANT_LIMIT_KINDS[limit].words },
];

function showLimits(session: Session, value: ApiTenantLimits): void {
  const rows = TENANT_LIMITS.map((limit) => ({ ...value, limit }));
  const text = renderTable(COLUMNS, rows, session.context.columns);
  showResult(session, { tenant: value.tenant, limits: value.limits, usage: value.usage }, text.trimEnd());
}

function helpLines(): string {
  const width = Math.max(...TENANT_LIMITS.map((name) => name.length));
  return TENANT_LIMITS.map((name) => `  ${name.padEnd(width)}  ${TENANT_LIMIT_KINDS[name].words}`).join('\n');
}
