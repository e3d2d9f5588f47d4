import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { FAILPOINT_FILE, FAILPOINT_PLACES, type FailpointPlace } from './failpoint-places.ts';

/**
 * Loaded into a gateway under test, and into its threads, ahead of everything (`node --import`): puts a wrapper in the place of each module
 * that has a failpoint. Nothing dies before the file is there that arms one.
 */
const ROOT = pathToFileURL(fileURLToPath(new URL('../../', import.meta.url))).href;
const UNWRAPPED = '?unwrapped';
const file = process.env[FAILPOINT_FILE];
const reached = new Map<string, number>();

function reach(name: string): void {
  const armed = readArmed();
  if (armed === undefined || armed[0] !== name) return;
  const count = (reached.get(name) ?? 0) + 1;
  reached.set(name, count);
  if (count < armed[1]) return;
  process.kill(process.pid, 'SIGKILL');
  // The signal takes a moment to arrive, and nothing must be done in it.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10_000);
}

function readArmed(): readonly [name: string, nth: number] | undefined {
  try {
    return JSON.parse(readFileSync(file ?? '', 'utf8')) as [string, number];
  } catch {
    return undefined;
  }
}

type Wrapped = (this: unknown, ...parameters: readonly unknown[]) => unknown;

function wrapFunction(original: Wrapped, places: readonly (readonly [string, FailpointPlace])[]): Wrapped {
  const passBy = (when: FailpointPlace['when'], parameters: readonly unknown[]) => {
    for (const [name, place] of places) if (place.when === when && concerns(place, parameters)) reach(name);
  };
  return function wrapper(this: unknown, ...parameters) {
    passBy('before', parameters);
    const result = original.apply(this, [...parameters]);
    if (!(result instanceof Promise)) {
      passBy('after', parameters);
      return result;
    }
    return result.then((value) => {
      passBy('after', parameters);
      return value;
    });
  };
}

function concerns({ kind }: FailpointPlace, [batch]: readonly unknown[]): boolean {
  if (kind === undefined) return true;
  const { kinds, effects } = batch as { kinds: ArrayLike<number>; effects: ReadonlyMap<number, unknown> };
  return effects.size > 0 && Array.from(kinds).includes(kind);
}

/** Called by the wrappers' own text. */
function wrapExport(original: unknown, exported: string, module: string): unknown {
  const places = Object.entries<FailpointPlace>(FAILPOINT_PLACES).filter(
    ([, place]) => place.module === module && place.exported === exported,
  );
  if (typeof original !== 'function') throw new Error(`failpoints: ${module} exports no ${exported}`);
  const methods = new Set(places.flatMap(([, { method }]) => (method === undefined ? [] : [method])));
  if (methods.size === 0) return wrapFunction(original as Wrapped, places);
  for (const method of methods) {
    const found = original.prototype[method] as Wrapped | undefined;
    if (found === undefined) throw new Error(`failpoints: ${exported} has no ${method}`);
    original.prototype[method] = wrapFunction(
      found,
      places.filter(([, place]) => place.method === method),
    );
  }
  return original;
}

(globalThis as { failpointWrap?: typeof wrapExport }).failpointWrap = wrapExport;

registerHooks({
  load(url, context, nextLoad) {
    const module = url.startsWith(ROOT) ? url.slice(ROOT.length) : '';
    const names = new Set(
      Object.values<FailpointPlace>(FAILPOINT_PLACES)
        .filter((place) => place.module === module)
        .map(({ exported }) => exported),
    );
    if (names.size === 0) return nextLoad(url, context);
    const from = JSON.stringify(url + UNWRAPPED);
    const wrapped = [...names].map(
      (name) => `export const ${name} = failpointWrap(original.${name}, '${name}', '${module}');`,
    );
    const source = [`import * as original from ${from};`, `export * from ${from};`, ...wrapped].join('\n');
    return { format: 'module', source, shortCircuit: true };
  },
});
