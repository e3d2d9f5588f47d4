// Also here: most of the time to ready is spent on compiling modules, however the program is started.
import './compile-cache.js';
import { holdYoungHeap } from './young-heap.ts';

holdYoungHeap();

const { runFromCommandLine } = await import('./run-from-command-line.ts');
await runFromCommandLine({ demo: process.argv.includes('--demo') });
