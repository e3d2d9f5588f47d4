import { setFlagsFromString } from 'node:v8';
import { holdYoungHeap } from './young-heap.ts';

/**
 * To be called before anything is loaded.
 *
 * Leaves out Maglev, V8's compiler between the baseline and Turbofan: all functions on the path of a call come to it at once when load begins,
 * and each that waits for its turn holds what it will be compiled from, 60 MB together, of which malloc gives little back. They reach Turbofan
 * as before, after 3,000 calls, and a call costs what it did then.
 */
export function holdMemory(): void {
  holdYoungHeap();
  setFlagsFromString('--no-maglev');
}
