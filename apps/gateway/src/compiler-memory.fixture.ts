import { getHeapStatistics } from 'node:v8';
import { freeCompilerMemory } from './compiler-memory.ts';

/** Makes four hundred functions worth compiling, all at once, and prints the most memory (MiB) that V8 needed outside of its heap. */
if (process.argv[2] === 'freed') freeCompilerMemory();

type Compiled = (input: typeof INPUT, kind: string) => unknown;

const INPUT = {
  list: Array.from({ length: 6 }, (_, x) => ({ x, y: 'abc', z: x % 2 ? { q: x } : undefined, kind: `k${x}` })),
};

const functions = Array.from({ length: 400 }, (_, number) => {
  const body = `
    let sum = 0;
    for (let index = 0; index < input.list.length; index++) {
      const each = input.list[index];
      if (each.x > ${number}) sum += each.y.length + each.x * ${number}; else sum -= each.z ? each.z.q : 1;
      if (each.kind === kind) sum ^= ${number};
    }
    const result = { sum, kind: kind + ':${number}', list: input.list.map((each) => each.x + sum), known: new Map([[kind, sum]]) };
    for (const value of result.list) result.sum = value & 1 ? result.sum + value : (result.sum * 31 + value) | 0;
    return result;`;
  return new Function('input', 'kind', body) as Compiled;
});

for (let round = 0; round < 1_500; round++) for (const compiled of functions) compiled(INPUT, 'k3');
process.stdout.write(String(Math.round(getHeapStatistics().peak_malloced_memory / 1024 / 1024)));
