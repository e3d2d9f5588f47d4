import { stringify } from 'yaml';
import { localTime } from './times.ts';
import { visibleLines } from './visible-text.ts';

/** An object as YAML, in the form of `postern.yaml`, with times in local time. */
export function renderObject(object: object): string {
  return visibleLines(stringify(withLocalTimes(object), { lineWidth: 0, aliasDuplicateObjects: false }).trimEnd());
}

function withLocalTimes(object: object): object {
  const members = Object.entries(object).map(([name, value]) => {
    const isTime = name === 'at' || /[a-z]At$/.test(name);
    return [name, isTime && (typeof value === 'string' || typeof value === 'number') ? localTime(value) : value];
  });
  return Object.fromEntries(members);
}
