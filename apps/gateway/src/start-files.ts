import { readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import {
  applyDocument,
  formatIssue,
  parseConfigDocument,
  type ResolvedDocument,
  resolveSources,
  type WriteDependencies,
} from '@postern/admin/configuration';
import { Rejection, type ValidationIssue } from '@postern/schemas';
import { ConfigFileError } from './config-file-error.ts';
import type { Environment } from './environment.ts';
import type { Log } from './log.ts';
import type { Settings } from './settings.ts';

export interface StartConfigParts {
  readonly settings: Settings;
  readonly environment: Environment;
  readonly log: Log;
  readonly dependencies: WriteDependencies;
}

/**
 * Applies the main file and those that add to it as one document. Returns the ceiling of `unsafeAllowAddresses`: the setting, else what the files name.
 *
 * @throws ConfigFileError
 */
export async function applyStartFiles(
  parts: StartConfigParts,
  main: string,
  layerFiles: readonly string[],
): Promise<readonly string[]> {
  const { settings, log, dependencies } = parts;
  const ceiling = settings.unsafeAllowAddresses;
  const first = await readConfigFile(parts, main);
  const layers = await Promise.all(layerFiles.map((file) => readConfigFile(parts, file)));
  const document = layers.reduce((merged, layer) => addLayer(merged, layer), first.document);
  // A fault that only the whole shows has a line when there is one file alone.
  const lineOf = layers.length === 0 ? first.lineOf : () => undefined;
  try {
    const rights = { isInstanceOwner: true, unsafeAddressCeiling: ceiling };
    const result = await applyDocument(dependencies, {
      document,
      tenant: document.tenant,
      actor: 'start-up file',
      rights,
      lineOf,
    });
    for (const warning of result.warnings) log.logger.warn(formatIssue(first.file, warning));
    log.logger.info({ files: [main, ...layerFiles], changes: result.changes.length }, 'configuration applied');
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    throw faulty(first.file, error.details.issues ?? [{ field: '', message: error.message }]);
  }
  return ceiling ?? unsafeAddressesOf(document);
}

function unsafeAddressesOf({ integrations = [], risk, notifications = [] }: ResolvedDocument): readonly string[] {
  return [
    ...integrations.flatMap(({ network }) => network.unsafeAllowAddresses),
    ...(risk?.scorer?.unsafeAllowAddresses ?? []),
    ...notifications.flatMap(({ unsafeAllowAddresses = [] }) => unsafeAllowAddresses),
  ];
}

interface ConfigFile {
  readonly file: string;
  readonly document: ResolvedDocument;
  readonly lineOf: LineOf;
}

type LineOf = (path: readonly (string | number)[]) => number | undefined;

async function readConfigFile({ settings, environment, log }: StartConfigParts, file: string): Promise<ConfigFile> {
  const { document, issues, lineOf } = await parseConfigDocument(readText(file));
  if (document === undefined) throw faulty(file, issues);
  const access = { allowFrom: true, env: environment, folder: dirname(file), dataFolder: settings.dataFolder } as const;
  const sources = await resolveSources(document, access);
  if (sources.document === undefined)
    throw faulty(
      file,
      sources.issues.map((issue) => placed(issue, lineOf)),
    );
  for (const warning of sources.warnings) log.logger.warn(formatIssue(file, placed(warning, lineOf)));
  return { file, document: sources.document, lineOf };
}

/** A layer adds objects and replaces those of the same name, and the section `risk`; of the global rules it can take none away and change none. */
function addLayer(base: ResolvedDocument, { file, document: layer }: ConfigFile): ResolvedDocument {
  if (layer.tenant !== base.tenant)
    throw faulty(file, [{ field: 'tenant', message: `must be ${base.tenant}, as in the file that it adds to` }]);
  if (layer.globalRules !== undefined && base.globalRules === undefined)
    throw faulty(file, [
      { field: 'global', message: 'needs the section in the main file too; alone it would replace the rules in force' },
    ]);
  const globalIds = new Set(base.globalRules?.map((rule) => rule.id));
  const repeated = layer.globalRules?.findIndex((rule) => globalIds.has(rule.id)) ?? -1;
  if (repeated >= 0)
    throw faulty(file, [
      { field: `global.rules[${repeated}].id`, message: 'is a global rule already; a layer can only add some' },
    ]);
  const risk = layer.risk ?? base.risk;
  const secrets =
    base.secrets === undefined && layer.secrets === undefined
      ? {}
      : { secrets: new Map([...(base.secrets ?? []), ...(layer.secrets ?? [])]) };
  return {
    tenant: base.tenant,
    ...secrets,
    ...(risk === undefined ? {} : { risk }),
    ...added('globalRules', base.globalRules, layer.globalRules, (rule) => rule.id),
    ...added('templates', base.templates, layer.templates, ({ name, version }) => `${name}@${version}`),
    ...added('integrations', base.integrations, layer.integrations, (integration) => integration.name),
    ...added('agents', base.agents, layer.agents, ({ agent }) => agent.name),
    ...added('rules', base.rules, layer.rules, (rule) => rule.id),
    ...added('notifications', base.notifications, layer.notifications, ({ url }) => url),
  };
}

function added<Section extends string, T>(
  section: Section,
  base: readonly T[] | undefined,
  layer: readonly T[] | undefined,
  nameOf: (item: T) => string,
): { [name in Section]?: T[] } {
  if (base === undefined && layer === undefined) return {};
  const all = new Map([...(base ?? []), ...(layer ?? [])].map((item) => [nameOf(item), item]));
  return { [section]: [...all.values()] } as { [name in Section]?: T[] };
}

function faulty(file: string, issues: readonly ValidationIssue[]): ConfigFileError {
  return new ConfigFileError(
    ['The configuration cannot be used:', ...issues.map((issue) => `  ${formatIssue(file, issue)}`)].join('\n'),
  );
}

function placed(
  issue: { path: readonly (string | number)[]; message: string },
  lineOf: (path: readonly (string | number)[]) => number | undefined,
): ValidationIssue {
  const line = lineOf(issue.path);
  return { field: fieldOf(issue.path), message: issue.message, ...(line === undefined ? {} : { line }) };
}

function fieldOf(path: readonly (string | number)[]): string {
  return path.map((step, index) => (typeof step === 'number' ? `[${step}]` : index === 0 ? step : `.${step}`)).join('');
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigFileError(`POSTERN_CONFIG: ${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`, {
      cause: error,
    });
  }
}
