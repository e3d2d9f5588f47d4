import type { ApiPolicyVersionSummary } from '@postern/client';
import type { Command } from 'commander';
import type { CliContext } from '../context.ts';
import { Failure } from '../exit.ts';
import { withLinesOf } from '../lines-of-file.ts';
import { renderObject } from '../output/object.ts';
import { renderPolicyDiff } from '../output/policy-diff.ts';
import type { Column } from '../output/table.ts';
import { localTime } from '../output/times.ts';
import { visibleText } from '../output/visible-text.ts';
import { gather, openSession, showList, showResult } from '../session.ts';
import { readYamlFile, type YamlFile } from '../yaml-file.ts';

const COLUMNS: readonly Column<ApiPolicyVersionSummary>[] = [
  { title: 'NUMBER', value: ({ number }) => number, isWhole: true },
  { title: 'STATUS', value: ({ status }) => status, isWhole: true },
  { title: 'MADE', value: ({ createdAt }) => localTime(createdAt) },
  { title: 'BY', value: ({ createdBy }) => createdBy },
  { title: 'ACTIVATED', value: ({ activatedAt }) => (activatedAt === undefined ? undefined : localTime(activatedAt)) },
  { title: 'CONTENT', value: ({ contentHash }) => contentHash.slice(0, 12) },
  { title: 'NOTE', value: ({ note }) => note },
];

/** `list`, `show`, `diff`, `draft`, `activate` and `rollback` of the noun `policy`. */
export function addVersions(policy: Command, context: CliContext): void {
  addReads(policy, context);
  addDraft(policy, context);
  policy
    .command('activate <version>')
    .description('Put a version in force, by number or id')
    .option(
      '--replacing <version>',
      'The version that it replaces, where that is not the one that the draft was made on',
    )
    .action(async (version: string, { replacing }: { replacing?: string }, command: Command) => {
      const { client, ...session } = openSession(context, command);
      const { status, base = null } = await client.policies.get(version);
      const expectedActive = replacing ?? (status === 'draft' ? base : undefined);
      const active = await client.policies.activate(version, expectedActive === undefined ? {} : { expectedActive });
      showResult(session, active, `Version ${active.number} is in force.`);
    });
  policy
    .command('rollback [version]')
    .description('Go back to a version that was in force, to the byte (default: the one before)')
    .action(async (version: string | undefined, _options: object, command: Command) => {
      const session = openSession(context, command);
      const active = await session.client.policies.rollback(version ?? 'previous');
      showResult(session, active, `Version ${active.number} is in force again.`);
    });
}

function addReads(policy: Command, context: CliContext): void {
  policy
    .command('list')
    .description('List versions of the policy, newest first')
    .action(async (_options: object, command: Command) => {
      const session = openSession(context, command);
      const items = await gather(session.client.policies.all());
      showList(session, { items, columns: COLUMNS, none: 'No version yet: no rule was ever written.' });
    });
  policy
    .command('show [version]')
    .description('Show a version with its rules, by number or id (default: the one in force)')
    .action(async (version: string | undefined, _options: object, command: Command) => {
      const session = openSession(context, command);
      const found = await session.client.policies.get(version ?? 'active');
      showResult(session, found, renderObject(found));
    });
  policy
    .command('diff <version>')
    .description('What a version would change, in words')
    .option('--against <version>', 'Instead of the one in force: a number, an id, or "previous"')
    .action(async (version: string, { against }: { against?: string }, command: Command) => {
      const session = openSession(context, command);
      const diff = await session.client.policies.diff(version, against);
      showResult(session, diff, renderPolicyDiff(diff));
    });
}

function addDraft(policy: Command, context: CliContext): void {
  policy
    .command('draft')
    .description('Store a policy that is not in force, after all checks')
    .requiredOption('-f, --file <file>', 'A postern.yaml, of which "rules" and "risk" count, or "-" for standard input')
    .option('--note <text>', 'Why, in words')
    .action(async ({ file: name, note }: { file: string; note?: string }, command: Command) => {
      const file = await readYamlFile(context, name);
      const { sections, tenant } = readSections(context, file);
      const session = openSession(context, command, tenant);
      const { policies } = session.client;
      const made = await withLinesOf(file, policies.draft({ ...sections, ...(note === undefined ? {} : { note }) }));
      const text = session.json ? '' : renderPolicyDiff(await policies.diff(made.number));
      showResult(session, made, `${text}\nPut it in force: postern policy activate ${made.number}`);
    });
}

/** Sections of `postern.yaml` that are no part of a version. */
const OTHERS = [
  ...[
    'version',
    'tenant',
    'global',
    'templates',
    'redaction',
    'secrets',
    'integrations',
    'agents',
    'notifications',
    'tests',
  ],
];

function readSections(context: CliContext, file: YamlFile): { sections: { rules: unknown }; tenant?: string } {
  const { value } = file;
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !('rules' in value)) {
    throw new Failure(`${visibleText(file.name)} must hold an object with rules`);
  }
  const members = Object.entries(value);
  const left = members
    .map(([name]) => name)
    .filter((name) => OTHERS.includes(name) && !/^(?:version|tenant)$/.test(name));
  if (left.length > 0) context.note(`${visibleText(file.name)}: ${left.join(', ')} stay as they are in force.\n`);
  const tenant: unknown = 'tenant' in value ? value.tenant : undefined;
  const sections = Object.fromEntries(members.filter(([name]) => !OTHERS.includes(name)));
  return { sections: { ...sections, rules: value.rules }, ...(typeof tenant === 'string' ? { tenant } : {}) };
}
