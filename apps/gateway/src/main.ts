import { holdYoungHeap } from './young-heap.ts';

holdYoungHeap();

const { runFromCommandLine } = await import('./run-from-command-line.ts');
await runFromCommandLine({ demo: process.argv.includes('--demo') });
