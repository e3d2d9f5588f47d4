/** What was kept as JSON of an object. Undefined when it is absent, or not of that form: a store of others' making is never trusted. */
export function readKept<T>(
  kept: string | undefined,
  parse: (value: Readonly<Record<string, unknown>>) => T | undefined,
): T | undefined {
  if (kept === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(kept);
    return typeof value === 'object' && value !== null ? parse(value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    return undefined;
  }
}

export function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}
