import { executionAsyncResource } from 'node:async_hooks';

/** The tick is never read: it is there so that its shape is. */
const kept: { tick?: object } = {};

/**
 * Keeps one of the objects that `process.nextTick` makes. V8 remembers the shape they have while some object has it. When all of the heap
 * is collected while none is there, which happens as modules are loaded, it takes the shape that is made next for a second one,
 * and from there on makes each of them member by member, for good: 0.7 µs instead of 0.3, some eight times a call.
 */
export function keepTickShape(): void {
  process.nextTick(() => {
    kept.tick ??= executionAsyncResource();
  });
}
