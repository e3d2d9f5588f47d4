import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Both halves of the young generation; at 150 MB of short-lived objects a second, that is a collection every 50 ms. */
const YOUNG_BYTES = 16 * 1024 * 1024;
/** V8 begins with 1 MB for each half, and goes back to it while little happens. */
const YOUNG_BYTES_FIRST = 2 * 1024 * 1024;
const LOOK_EVERY_MS = 100;

/** To be called before anything is loaded: loading modules would grow the young generation to its largest, for good. */
export function holdYoungHeap(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
  // Little survives a collection; threads that help with it cost more than they take over.
  setFlagsFromString('--no-parallel-scavenge');
}

/**
 * Lets the young generation grow to the size at which calls are served as fast as with the largest, and holds it there: some 40 MB less
 * memory. Anew whenever V8 has made it small, as it does in a program without work for some seconds: small, it is collected at every
 * 30 calls. V8 reads the growth factor at each collection; its own flags for the least and the largest size count only on the
 * command line, which whoever starts us writes.
 */
export function letYoungHeapGrow(): void {
  let factor: number | undefined;
  const look = () => {
    const wanted = growthFactor(youngBytes());
    if (wanted === factor) return;
    factor = wanted;
    setFlagsFromString(`--semi-space-growth-factor=${factor}`);
  };
  look();
  setInterval(look, LOOK_EVERY_MS).unref();
}

/** By which it comes to its size in one step, or in none. */
function growthFactor(bytes: number): number {
  return Math.max(1, Math.floor(YOUNG_BYTES / Math.max(bytes, YOUNG_BYTES_FIRST)));
}

function youngBytes(): number {
  return getHeapSpaceStatistics().find((space) => space.space_name === 'new_space')?.space_size ?? 0;
}

/** Smaller pieces are garbage that the collector sees: it collects for them soon enough. */
const PIECE_BYTES_MIN = 16 * 1024;
/** As much as a collection of the young generation is worth: it takes some 0.2 ms. */
const GARBAGE_BYTES = 8 * 1024 * 1024;

/**
 * Takes the sizes of buffers that are soon garbage, and collects the young generation each time that they come to 8 MiB.
 *
 * A buffer of 64 KiB takes a hundred bytes of the heap, so V8 does not collect the young generation for it. It waits until the old one
 * and what lies outside the heap together come to its limit, and then marks everything: a heap of 40 MB for every 30 MB of answers,
 * which made an answer of 10 MB cost up to three times what it costs so. The limit is raised too, since a small heap's is close.
 */
export function collectorOfBuffers(): (bytes: number) => void {
  let bytesSince = 0;
  let collect: ((options: { type: 'minor' }) => void) | undefined;
  return (bytes) => {
    if (bytes < PIECE_BYTES_MIN) return;
    bytesSince += bytes;
    if (bytesSince < GARBAGE_BYTES) return;
    bytesSince = 0;
    collect ??= youngCollection();
    collect({ type: 'minor' });
  };
}

function youngCollection(): (options: { type: 'minor' }) => void {
  setFlagsFromString('--heap-growing-percent=100');
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc');
}
