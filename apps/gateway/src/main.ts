// Also here: most of the time to ready is spent on compiling modules, however the program is started.
import './compile-cache.js';
import { prepareMemory } from './prepare-memory.ts';

prepareMemory();

const { runFromCommandLine } = await import('./run-from-command-line.ts');
await runFromCommandLine({ demo: process.argv.includes('--demo') });
