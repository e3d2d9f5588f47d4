import { freeCompilerMemory } from './compiler-memory.ts';
import { keepTickShape } from './tick-shape.ts';
import { holdYoungHeap } from './young-heap.ts';

/** To be called before anything is loaded. */
export function prepareMemory(): void {
  holdYoungHeap();
  freeCompilerMemory();
  keepTickShape();
}
