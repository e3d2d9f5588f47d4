import type { CliContext } from './context.ts';
import { Failure } from './exit.ts';
import { dataFolderOf } from './gateway-place.ts';
import { readValueSource } from './value-source.ts';
import { readYamlFile, type YamlFile } from './yaml-file.ts';

export interface ObjectFile {
  readonly object: Readonly<Record<string, unknown>>;
  readonly file: YamlFile;
}

/**
 * One object of a YAML or JSON file, in the form of `postern.yaml`. A `tls.ca` that is a reference is read here.
 *
 * @throws Failure when the file holds no object, or the reference cannot be read.
 */
export async function readObjectFile(context: CliContext, name: string): Promise<ObjectFile> {
  const file = await readYamlFile(context, name);
  const object = membersOf(file.value);
  if (object === undefined) throw new Failure(`${file.name} must hold one object`);
  const tls = membersOf(object['tls']);
  const from = membersOf(tls?.['ca'])?.['from'];
  if (typeof from !== 'string') return { object, file };
  const access = { environment: context.environment, folder: file.folder, dataFolder: dataFolderOf(context) };
  const found = await readValueSource(from, access);
  if ('value' in found) return { object: { ...object, tls: { ...tls, ca: found.value } }, file };
  throw new Failure(`${file.name}:${file.lineOf('tls.ca.from')}: tls.ca.from: ${found.message}`);
}

function membersOf(value: unknown): Record<string, unknown> | undefined {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? (value as Record<string, unknown>) : undefined;
}
