import type { ApiRule } from '@postern/client';
import type { Rule } from '@postern/schemas';
import { type Command, Option } from 'commander';
import { collect, newCommand } from '../command.ts';
import type { CliContext } from '../context.ts';
import { Misuse } from '../exit.ts';
import { withLinesOf } from '../lines-of-file.ts';
import { readObjectFile } from '../object-file.ts';
import { renderObject } from '../output/object.ts';
import type { Column } from '../output/table.ts';
import { gather, openSession, showList, showResult } from '../session.ts';
import type { YamlFile } from '../yaml-file.ts';

const COLUMNS: readonly Column<ApiRule>[] = [
  { title: 'ID', value: ({ id }) => id, isWhole: true },
  { title: 'EFFECT', value: ({ effect, hard }) => (hard ? `hard ${effect}` : effect) },
  { title: 'MATCHES', value: matchesOf },
  { title: 'STATE', value: ({ disabled }) => (disabled ? 'disabled' : 'in force') },
];

/** Options in the singular; members in the plural. */
const LISTS = ['agent', 'integration', 'action', 'method', 'host', 'path'] as const;

interface RuleOptions extends Partial<Record<(typeof LISTS)[number], readonly string[]>> {
  readonly file?: string;
  readonly effect?: string;
  readonly hard?: boolean;
}

export function rulesCommand(context: CliContext): Command {
  const rules = newCommand(context, 'rules', 'Statements of the policy');
  rules
    .command('list')
    .description('List rules, disabled ones too')
    .action(async (_options: object, command: Command) => {
      const session = openSession(context, command);
      const items = await gather(session.client.rules.all());
      showList(session, { items, columns: COLUMNS, none: 'No rules: every call is denied.' });
    });
  rules
    .command('show <id>')
    .description('Show one rule')
    .action(async (id: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      const rule = await session.client.rules.get(id);
      showResult(session, rule, renderObject(rule));
    });
  addCreate(rules, context);
  rules
    .command('disable <id>')
    .description('Take a rule out of force; rules are never deleted, so that past decisions keep their reason')
    .action(async (id: string, _options: object, command: Command) => {
      const session = openSession(context, command);
      const rule = await session.client.rules.disable(id);
      showResult(session, rule, `Rule ${rule.id} is disabled.`);
    });
  return rules;
}

function addCreate(rules: Command, context: CliContext): void {
  const create = rules
    .command('create [id]')
    .description('Create a rule; within one list any item suffices, all given lists must match')
    .option('-f, --file <file>', 'Read it from a YAML or JSON file, or "-"')
    .addOption(new Option('--effect <effect>', 'What it does').choices(['allow', 'deny']))
    .option('--hard', 'With --effect deny: nothing lifts it')
    .option('--agent <selector>', 'A name, role:…, trust>=… or environment:…; may be repeated', collect)
    .option('--integration <name>', 'May be repeated', collect)
    .option('--action <name>', 'May be repeated', collect)
    .option('--method <method>', 'Such as GET; may be repeated', collect)
    .option('--host <name>', 'May be repeated', collect)
    .option('--path <pattern>', 'Such as /repos/**; may be repeated', collect);
  create.action(async (id: string | undefined, options: RuleOptions, command: Command) => {
    const { given, file } = await readRule(context, id, options);
    const session = openSession(context, command);
    const rule = await withLinesOf(file, session.client.rules.create(given as Rule));
    showResult(session, rule, `Created rule ${rule.id}; it is in force.`);
  });
}

interface Given {
  /** Whatever a file holds: the control plane judges it. */
  readonly given: object;
  readonly file?: YamlFile;
}

async function readRule(context: CliContext, id: string | undefined, options: RuleOptions): Promise<Given> {
  const { file: fileName, ...members } = options;
  if (fileName !== undefined) {
    if (Object.keys(members).length > 0) throw new Misuse('give a file or options, not both');
    const { object, file } = await readObjectFile(context, fileName);
    return { given: id === undefined ? object : { ...object, id }, file };
  }
  if (id === undefined || members.effect === undefined) throw new Misuse('give an id and --effect, or -f FILE');
  const lists = LISTS.flatMap((name) => (members[name] === undefined ? [] : [[`${name}s`, members[name]]]));
  const hard = members.hard ? { hard: true } : {};
  return { given: { id, effect: members.effect, ...hard, ...Object.fromEntries(lists) } };
}

/** `agents coder; methods GET, HEAD`; a rule without lists matches everything. */
function matchesOf(rule: ApiRule): string {
  const given = LISTS.flatMap((name) => {
    const items = rule[`${name}s`];
    return items === undefined ? [] : [`${name}s ${items.join(', ')}`];
  });
  return given.join('; ') || 'every call';
}
