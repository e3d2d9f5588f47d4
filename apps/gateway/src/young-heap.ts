import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** Both halves of the young generation; at 150 MB of short-lived objects a second, that is a collection every 100 ms. */
const YOUNG_BYTES = 16 * 1024 * 1024;
/** From V8's first half of 1 MB to one of 8 MB. */
const GROWTH = 8;
const LOOK_EVERY_MS = 50;

/** To be called before anything is loaded: loading modules would grow the young generation to its largest, for good. */
export function holdYoungHeap(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
  // Little survives a collection; threads that help with it cost more than they take over.
  setFlagsFromString('--no-parallel-scavenge');
}

/**
 * Lets the young generation grow once, to the size at which calls are served as fast as with the largest, and holds it there:
 * some 40 MB less memory. V8 reads the growth factor at each collection; its own flag for the largest size counts only on the
 * command line, which whoever starts us writes.
 */
export function letYoungHeapGrow(): void {
  setFlagsFromString(`--semi-space-growth-factor=${GROWTH}`);
  const timer = setInterval(() => {
    const young = getHeapSpaceStatistics().find((space) => space.space_name === 'new_space');
    if (young !== undefined && young.space_size < YOUNG_BYTES) return;
    clearInterval(timer);
    setFlagsFromString('--semi-space-growth-factor=1');
  }, LOOK_EVERY_MS);
  timer.unref();
}
