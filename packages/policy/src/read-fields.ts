/** Tells a fault of a field. `position` counts characters from 0 within an expression. */
export type Report = (field: string, message: string, position?: number) => void;

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A whole number from `min` to `max`; `absent` where there is none; undefined, and a fault, for anything else. */
export function readWhole(
  source: Record<string, unknown>,
  field: string,
  range: { readonly min: number; readonly max: number; readonly absent?: number },
  report: Report,
): number | undefined {
  const value = source[field.slice(field.lastIndexOf('.') + 1)] ?? range.absent;
  if (typeof value === 'number' && Number.isInteger(value) && value >= range.min && value <= range.max) return value;
  report(field, `must be a whole number from ${range.min} to ${range.max}`);
  return undefined;
}
