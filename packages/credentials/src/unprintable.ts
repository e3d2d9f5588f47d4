const hide = { value: () => '[secret]', enumerable: false };

/** `object` itself, made so that JSON and `node:util`'s inspect print `[secret]` in its place. Its members are read as before. */
export function makeUnprintable<T extends object>(object: T): T {
  return Object.defineProperties(object, { toJSON: hide, [Symbol.for('nodejs.util.inspect.custom')]: hide });
}
