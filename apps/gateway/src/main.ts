import { holdMemory } from './hold-memory.ts';

holdMemory();

const { runFromCommandLine } = await import('./run-from-command-line.ts');
await runFromCommandLine({ demo: process.argv.includes('--demo') });
