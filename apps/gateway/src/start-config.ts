import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { ConfigFileError } from './config-file-error.ts';
import type { Settings } from './settings.ts';
import type { StartConfigParts } from './start-files.ts';

const DEFAULT_FILE = 'postern.yaml';

/**
 * Applies the start-up files as one document: the one that `POSTERN_CONFIG` names, or `postern.yaml` if it is there, and beside
 * it `postern.{environment}.yaml`, which adds to it. Returns the ceiling of `unsafeAllowAddresses`: the setting, else what the
 * files name.
 *
 * @throws ConfigFileError
 */
export async function applyStartConfig(parts: StartConfigParts): Promise<readonly string[]> {
  const [main, ...layers] = startFiles(parts.settings);
  if (main === undefined) return parts.settings.unsafeAllowAddresses ?? [];
  // Loaded here: without a file nothing of configuration as code is needed, a twelfth of the modules of a start.
  const { applyStartFiles } = await import('./start-files.ts');
  return applyStartFiles(parts, main, layers);
}

function startFiles({ configFile, environment }: Settings): string[] {
  if (configFile === '') return [];
  const main = resolve(configFile ?? DEFAULT_FILE);
  if (configFile !== undefined && !existsSync(main))
    throw new ConfigFileError(`POSTERN_CONFIG: there is no file ${main}.`);
  const layered = environment === undefined ? undefined : main.replace(/(\.ya?ml|\.json)?$/, `.${environment}$1`);
  return [main, ...(layered === undefined ? [] : [layered])].filter((file) => existsSync(file));
}
