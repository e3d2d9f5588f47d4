import { enableCompileCache } from 'node:module';
import { holdYoungHeap } from './young-heap.ts';

// Compiled code is kept between starts: most of the time to ready is spent on compiling modules.
enableCompileCache();
holdYoungHeap();

const { runFromCommandLine } = await import('./run-from-command-line.ts');
await runFromCommandLine({ demo: process.argv.includes('--demo') });
