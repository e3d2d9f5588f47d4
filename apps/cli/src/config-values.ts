import { Failure } from './exit.ts';
import { readValueSource, type ValueAccess } from './value-source.ts';
import type { YamlFile } from './yaml-file.ts';

type Members = Record<string, unknown>;

export interface ResolvedConfig {
  /** The document with values only. It holds secrets: it is sent, never shown. */
  readonly document: unknown;
  /** Fields where a secret stands in clear. */
  readonly literals: readonly string[];
}

/**
 * Replaces `from: env:NAME` and `from: file:PATH` in the places that take values (secrets, agents' keys, private authorities) by
 * what they name. Everything else, faults of form included, is left for the server to judge.
 *
 * @throws Failure with every reference that cannot be read, by file and line.
 */
export async function resolveConfigValues(file: YamlFile, access: ValueAccess): Promise<ResolvedConfig> {
  const document = structuredClone(file.value);
  const faults: string[] = [];
  const literals: string[] = [];
  for (const { holder, member, field } of valuePlaces(document)) {
    const given = holder[member];
    if (typeof given === 'string' && member !== 'ca') literals.push(field);
    if (!isMembers(given)) continue;
    if (given['from'] === undefined) {
      if (given['value'] !== undefined) literals.push(field);
      continue;
    }
    const { from, ...others } = given;
    const found = typeof from === 'string' ? await readValueSource(from, access) : { message: 'must be text' };
    if ('message' in found)
      faults.push(`${file.name}:${file.lineOf(`${field}.from`)}: ${field}.from: ${found.message}`);
    else holder[member] = member === 'ca' ? found.value : { ...others, value: found.value };
  }
  if (faults.length > 0) throw new Failure(`${file.name}: values cannot be read`, faults);
  return { document, literals };
}

interface ValuePlace {
  readonly holder: Members;
  readonly member: string;
  readonly field: string;
}

function valuePlaces(document: unknown): ValuePlace[] {
  if (!isMembers(document)) return [];
  const { secrets, agents, integrations } = document;
  return [
    ...(isMembers(secrets) ? Object.keys(secrets) : []).map((name) => {
      return { holder: secrets as Members, member: name, field: `secrets.${name}` };
    }),
    ...listOf(agents).map(([index, agent]) => ({ holder: agent, member: 'key', field: `agents[${index}].key` })),
    ...listOf(integrations).flatMap(([index, { tls }]) => {
      return isMembers(tls) ? [{ holder: tls, member: 'ca', field: `integrations[${index}].tls.ca` }] : [];
    }),
  ];
}

function listOf(section: unknown): (readonly [number, Members])[] {
  if (!Array.isArray(section)) return [];
  return section.flatMap((item: unknown, index) => (isMembers(item) ? [[index, item] as const] : []));
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
