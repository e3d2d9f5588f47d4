import { type Field, type FieldSchema, fieldsOf } from './config-fields.ts';
import type { EnvironmentVariable } from './environment-example.ts';

/** What `docs/config.md` is made from. */
export interface ConfigCode {
  readonly environmentVariables: readonly EnvironmentVariable[];
  /** The published JSON Schema of the document. */
  readonly schema: FieldSchema;
  /** Meanings of fields that the schema does not describe, by path. */
  readonly meanings: Readonly<Record<string, string>>;
  /** Fields of the full format that are refused; `*` for one step. */
  readonly unsupportedFields: readonly string[];
}

const BLOCKS = ['environment', 'document', 'refused'] as const;
type Block = (typeof BLOCKS)[number];

/** `text` with its generated blocks made anew; blocks that are missing are added at the end. */
export function withConfigDocs(text: string, code: ConfigCode): string {
  return BLOCKS.reduce((result, block) => {
    const generated = `${beginOf(block)}\n\n${renderBlock(block, code)}\n\n${endOf(block)}`;
    const found = placeOf(result, block);
    if (found === undefined) return `${result.trimEnd()}\n\n${generated}\n`;
    return result.slice(0, found.begin) + generated + result.slice(found.end + endOf(block).length);
  }, text);
}

/** Where `text` differs from the code, and fields whose meaning nobody tells or two tell. */
export function checkConfigDocs(text: string, code: ConfigCode): string[] {
  const stale = BLOCKS.flatMap((block) => {
    const found = placeOf(text, block);
    if (found === undefined) return [`has no part between ${beginOf(block)} and ${endOf(block)}`];
    const given = text.slice(found.begin + beginOf(block).length, found.end);
    return plain(given) === plain(renderBlock(block, code)) ? [] : [`its part "${block}" differs from the code`];
  });
  return [...stale, ...checkMeanings(code)];
}

function checkMeanings({ schema, meanings }: ConfigCode): string[] {
  const fields = fieldsOf(schema);
  const described = new Set(fields.filter(({ description }) => description !== undefined).map(({ path }) => path));
  const known = new Set(fields.map(({ path }) => path));
  return [
    ...[...known].filter((path) => !described.has(path) && !(path in meanings)).map((path) => `${path} has no meaning`),
    ...Object.keys(meanings)
      .filter((path) => !known.has(path) || described.has(path))
      .map(
        (path) => `the meaning of ${path} is superfluous: ${known.has(path) ? 'its schema has one' : 'no such field'}`,
      ),
  ];
}

function renderBlock(block: Block, code: ConfigCode): string {
  switch (block) {
    case 'environment':
      return table(
        ['variable', 'default', 'meaning'],
        code.environmentVariables.map(({ name, default: value, description }) => {
          return [`\`${name}\``, value ? `\`${value}\`` : '', description.replaceAll('\n', ' ')];
        }),
      );
    case 'document':
      return table(
        ['field', 'value', 'default', 'meaning'],
        fieldsOf(code.schema).map((field) => rowOf(field, code.meanings)),
      );
    case 'refused':
      return code.unsupportedFields.map((path) => `- \`${path}\``).join('\n');
  }
}

function rowOf(field: Field, meanings: Readonly<Record<string, string>>): string[] {
  const { path, type, absent, isRequired, variants } = field;
  const meaning = field.description ?? meanings[path] ?? '';
  const scope = variants.length === 0 ? '' : `${variants.map((name) => `\`${name}\``).join(', ')}: `;
  const fallback = absent === undefined ? '' : `\`${absent}\``;
  return [`\`${path}\``, type, isRequired ? 'required' : fallback, `${scope}${meaning}`];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(inCell).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Text of the code as Markdown shows it; what stands in backticks is left. */
function inCell(text: string): string {
  return text.replaceAll('|', '\\|').replace(/`[^`]*`|\*/g, (match) => (match === '*' ? '\\*' : match));
}

function beginOf(block: Block): string {
  return `<!-- ${block}:begin (generated: node scripts/check-docs.ts --write) -->`;
}

function endOf(block: Block): string {
  return `<!-- ${block}:end -->`;
}

function placeOf(text: string, block: Block): { readonly begin: number; readonly end: number } | undefined {
  const [begin, end] = [text.indexOf(beginOf(block)), text.indexOf(endOf(block))];
  return begin < 0 || end < begin ? undefined : { begin, end };
}

/** Without what the formatter adds: the padding of cells, the length of rules, empty lines. */
function plain(text: string): string {
  const lines = text.split('\n').map((line) =>
    line
      .trim()
      .replace(/ +\| +|^\| +| +\|$/g, '|')
      .replace(/\|-{2,}/g, '|--'),
  );
  return lines.filter((line) => line !== '').join('\n');
}
