// Plain JavaScript, so that nothing is compiled from TypeScript before the cache of compiled code is there: with it Node need not load its
// compiler at all, in no thread, which is a third of the time to ready and of the memory.
import '../src/compile-cache.js';

await import('../src/main.ts');
