import { setTimeout as delay } from 'node:timers/promises';
import { getHeapSpaceStatistics } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { holdYoungHeap, letYoungHeapGrow } from './young-heap.ts';

/** Prints the young generation's size in MiB: held, let grow at work, without work, and at work again. Run with `--expose-gc`. */
const sizes: number[] = [];
const note = () => {
  const young = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space');
  sizes.push(Math.round((young?.space_size ?? 0) / 1024 / 1024));
};

/** As calls do: garbage, of which little survives a collection. */
async function work(ms: number): Promise<void> {
  const until = performance.now() + ms;
  let held: object[][] = [];
  for (let turn = 0; performance.now() < until; turn++) {
    const made = Array.from({ length: 100 }, (_, index) => ({ index, turn }));
    held = turn % 10 === 0 ? [...held.slice(-8), made] : held;
    if (turn % 100 === 0) await delay(1);
  }
}

holdYoungHeap();
await work(300);
note();
letYoungHeapGrow();
await work(1_000);
note();
const collect: (options: object) => void = runInNewContext('gc');
for (let idle = 0; idle < 20; idle++) {
  await delay(100);
  collect({ type: 'minor' });
}
note();
await work(1_000);
note();
process.stdout.write(JSON.stringify(sizes));
process.exit(0);
