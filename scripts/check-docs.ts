/**
 * Holds the documents against the code: `node scripts/check-docs.ts [--write]`. With `--write` what is generated is written
 * anew: the tables in docs/errors.md and docs/config.md, docs/config.schema.json, .env.example.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { ERROR_KINDS, type ErrorKind, UNSUPPORTED_FIELDS } from '@postern/schemas';
import { checkMarkdown } from './check-markdown.ts';
import type { FieldSchema } from './config-fields.ts';
import { FIELD_MEANINGS } from './config-meanings.table.ts';
import { checkEnvironmentExample, type EnvironmentVariable, environmentExample } from './environment-example.ts';
import { checkErrorTable, withErrorTable } from './error-table.ts';
import { type Finding, listFiles, type PackageManifest, readJson, report } from './source-tree.ts';
import { type ConfigCode, checkConfigDocs, withConfigDocs } from './write-config-docs.ts';

const ERRORS_FILE = 'docs/errors.md';
const SCHEMA_FILE = 'docs/config.schema.json';
const CONFIG_FILE = 'docs/config.md';
const EXAMPLE_FILE = '.env.example';
const ENVIRONMENT_MODULE = 'apps/gateway/src/environment.ts';
const SET_UP_COMMANDS = ['npm install && npm start', 'npm install && npm test'];

/** What the documents are held against; a part that the code does not have yet is undefined. */
export interface DocumentedCode {
  readonly errorKinds: Readonly<Record<string, ErrorKind>>;
  readonly environmentVariables: readonly EnvironmentVariable[] | undefined;
  readonly configSchema: FieldSchema | undefined;
  /** Meanings of fields of the document that its schema does not tell, and fields that are refused. */
  readonly fieldMeanings: Readonly<Record<string, string>>;
  readonly unsupportedFields: readonly string[];
}

export interface DocsResult {
  readonly findings: readonly Finding[];
  /** What could not be checked, because the code does not have it yet. */
  readonly notes: readonly string[];
}

export function checkDocs(root: string, code: DocumentedCode): DocsResult {
  const notes: string[] = [];
  const findings = [...checkErrors(root, code), ...checkReadme(root), ...checkMarkdown(root)];
  if (code.environmentVariables !== undefined) findings.push(...checkExample(root, code.environmentVariables));
  else notes.push(`${EXAMPLE_FILE} is not checked: ${ENVIRONMENT_MODULE} does not exist yet`);
  if (code.configSchema !== undefined) findings.push(...checkSchema(root, code.configSchema));
  else notes.push(`${SCHEMA_FILE} is not checked: @postern/schemas exports no configJsonSchema yet`);
  findings.push(...checkConfig(root, code));
  return { findings, notes };
}

/** Writes what is generated and differs from the code; gives back the files. Laying them out is left to the formatter. */
export function writeDocs(root: string, code: DocumentedCode): string[] {
  const written: string[] = [];
  const write = (file: string, text: string) => {
    writeFileSync(path.join(root, file), text);
    written.push(file);
  };
  if (checkErrors(root, code).length > 0) {
    write(ERRORS_FILE, withErrorTable(readText(root, ERRORS_FILE) ?? '# Errors\n', code.errorKinds));
  }
  const { environmentVariables, configSchema } = code;
  if (environmentVariables !== undefined && readText(root, EXAMPLE_FILE) !== environmentExample(environmentVariables)) {
    write(EXAMPLE_FILE, environmentExample(environmentVariables));
  }
  if (configSchema !== undefined && checkSchema(root, configSchema).length > 0)
    write(SCHEMA_FILE, schemaText(configSchema));
  const config = configCodeOf(code);
  if (config !== undefined) {
    const text = readText(root, CONFIG_FILE) ?? '# Configuration\n';
    if (checkConfigDocs(text, config).length > 0) write(CONFIG_FILE, withConfigDocs(text, config));
  }
  return written;
}

function checkErrors(root: string, { errorKinds }: DocumentedCode): Finding[] {
  const text = readText(root, ERRORS_FILE);
  if (text === undefined) return [missing(ERRORS_FILE)];
  return checkErrorTable(text, errorKinds).map((fault) => ({ file: ERRORS_FILE, ...fault }));
}

function checkExample(root: string, variables: readonly EnvironmentVariable[]): Finding[] {
  const text = readText(root, EXAMPLE_FILE);
  if (text === undefined) return [missing(EXAMPLE_FILE)];
  return checkEnvironmentExample(text, variables).map((message) => ({ file: EXAMPLE_FILE, message }));
}

function checkSchema(root: string, schema: object): Finding[] {
  const text = readText(root, SCHEMA_FILE);
  if (text === undefined) return [missing(SCHEMA_FILE)];
  // By value: how it is laid out is the formatter's business.
  if (isDeepStrictEqual(JSON.parse(text), JSON.parse(schemaText(schema)))) return [];
  return [{ file: SCHEMA_FILE, message: 'differs from the code: run "node scripts/check-docs.ts --write"' }];
}

function checkConfig(root: string, code: DocumentedCode): Finding[] {
  const config = configCodeOf(code);
  if (config === undefined) return [];
  const text = readText(root, CONFIG_FILE);
  if (text === undefined) return [missing(CONFIG_FILE)];
  return checkConfigDocs(text, config).map((message) => ({ file: CONFIG_FILE, message }));
}

function configCodeOf(code: DocumentedCode): ConfigCode | undefined {
  const { environmentVariables, configSchema: schema, fieldMeanings: meanings, unsupportedFields } = code;
  if (environmentVariables === undefined || schema === undefined) return undefined;
  return { environmentVariables, schema, meanings, unsupportedFields };
}

/** The README's two commands must be there, and what they run must exist. */
function checkReadme(root: string): Finding[] {
  const file = 'README.md';
  const text = readText(root, file);
  if (text === undefined) return [missing(file)];
  const { scripts = {} } = readJson<PackageManifest>(root, 'package.json');
  const cli = readText(root, 'apps/cli/package.json');
  const bin = cli === undefined ? undefined : readJson<PackageManifest>(root, 'apps/cli/package.json').bin?.['postern'];
  return [
    ...SET_UP_COMMANDS.filter((command) => !text.includes(command)).map((command) => `lacks the command "${command}"`),
    ...['start', 'test'].filter((name) => !(name in scripts)).map((name) => `package.json has no script "${name}"`),
    ...(bin === undefined || !existsSync(path.join(root, 'apps/cli', bin))
      ? ['the command "postern" has no file']
      : []),
  ].map((message) => ({ file, message }));
}

function missing(file: string): Finding {
  return { file, message: 'is missing' };
}

function schemaText(schema: object): string {
  return `${JSON.stringify(schema, null, 2)}\n`;
}

function readText(root: string, file: string): string | undefined {
  const full = path.join(root, file);
  return existsSync(full) ? readFileSync(full, 'utf8') : undefined;
}

async function readCode(root: string): Promise<DocumentedCode> {
  const schemas: Record<string, unknown> = await import('@postern/schemas');
  const generate = schemas['configJsonSchema'];
  const environmentFile = path.join(root, ENVIRONMENT_MODULE);
  const environment: { ENVIRONMENT_VARIABLES?: readonly EnvironmentVariable[] } | undefined = existsSync(
    environmentFile,
  )
    ? await import(pathToFileURL(environmentFile).href)
    : undefined;
  if (environment !== undefined && environment.ENVIRONMENT_VARIABLES === undefined) {
    throw new Error(`${ENVIRONMENT_MODULE} exports no ENVIRONMENT_VARIABLES`);
  }
  return {
    errorKinds: ERROR_KINDS,
    environmentVariables: environment?.ENVIRONMENT_VARIABLES,
    configSchema: typeof generate === 'function' ? generate() : undefined,
    fieldMeanings: FIELD_MEANINGS,
    unsupportedFields: UNSUPPORTED_FIELDS,
  };
}

if (import.meta.main) {
  const root = path.resolve('.');
  const code = await readCode(root);
  if (process.argv.includes('--write')) {
    for (const file of writeDocs(root, code)) console.log(`wrote ${file}`);
    spawnSync('biome', ['format', '--write', ERRORS_FILE, CONFIG_FILE, SCHEMA_FILE], { stdio: 'ignore' });
  }
  const { findings, notes } = checkDocs(root, code);
  for (const note of notes) console.log(`note: ${note}`);
  report(
    'documents',
    findings,
    `${listFiles(root).filter((file) => file.endsWith('.md')).length} markdown files agree with the code`,
  );
}
