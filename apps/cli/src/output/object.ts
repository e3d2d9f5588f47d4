import { stringify } from 'yaml';
import { localTime } from './times.ts';
import { visibleLines } from './visible-text.ts';

/** An object as YAML, in the form of `postern.yaml`, with times in local time. */
export function renderObject(object: object): string {
  return visibleLines(stringify(withLocalTimes(object), { lineWidth: 0, aliasDuplicateObjects: false }).trimEnd());
}

function withLocalTimes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withLocalTimes);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([name, member]) => [
    name,
    isTime(name, member) ? localTime(member) : withLocalTimes(member),
  ]);
  return Object.fromEntries(members);
}

function isTime(name: string, value: unknown): value is string | number {
  return (name === 'at' || /[a-z]At$/.test(name)) && (typeof value === 'string' || typeof value === 'number');
}
