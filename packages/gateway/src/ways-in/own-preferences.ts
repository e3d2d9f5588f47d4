/** RFC 7240: preferences that are meant for the gateway and not for the upstream. */
const OWN = new Set(['wait', 'respond-async']);

/**
 * The headers with the gateway's own preferences taken out of `Prefer`, before anything is judged; the others are forwarded.
 * The same array when there is nothing to take out. `rawHeaders`: flat pairs.
 */
export function withoutOwnPreferences(rawHeaders: readonly string[]): readonly string[] {
  let changed: string[] | undefined;
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    const value = rawHeaders[i + 1] as string;
    const kept = name.toLowerCase() === 'prefer' ? forwardedPreferences(value) : value;
    if (kept !== value) changed ??= rawHeaders.slice(0, i);
    if (kept !== '') changed?.push(name, kept);
  }
  return changed ?? rawHeaders;
}

/** Whether `Prefer`, as node:http joins it, asks for an answer that does not wait for the upstream. */
export function prefersAsynchronous(prefer: string | string[] | undefined): boolean {
  return [prefer ?? []].flat().some((value) => preferencesOf(value).some((one) => nameOf(one) === 'respond-async'));
}

/** Commas and semicolons inside quoted strings separate nothing (RFC 9110 section 5.6.4). */
const PREFERENCE = /(?:[^,"]|"(?:[^"\\]|\\.)*")+/g;

function forwardedPreferences(value: string): string {
  const preferences = preferencesOf(value);
  const kept = preferences.filter((preference) => !OWN.has(nameOf(preference)));
  return kept.length === preferences.length ? value : kept.join(', ');
}

function preferencesOf(value: string): string[] {
  return (value.match(PREFERENCE) ?? []).map((preference) => preference.trim());
}

function nameOf(preference: string): string {
  return (/^[^=;\s]*/.exec(preference)?.[0] ?? '').toLowerCase();
}
