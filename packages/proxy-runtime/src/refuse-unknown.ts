/** Throws `TypeError` that names a member which is not among `known`. `prefix`: the path before it, with the dot. */
export function refuseUnknown(given: object, known: readonly string[], prefix: string): void {
  if (typeof given !== 'object' || given === null)
    throw new TypeError(`${prefix.slice(0, -1) || 'config'}: must be an object`);
  for (const name of Object.keys(given)) {
    if (!known.includes(name)) throw new TypeError(`${prefix}${name}: unknown field`);
  }
}
