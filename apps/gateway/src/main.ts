import { enableCompileCache } from 'node:module';

// Compiled code is kept between starts: most of the time to ready is spent on compiling modules.
enableCompileCache();

const { runFromCommandLine } = await import('./run-from-command-line.ts');
await runFromCommandLine({ demo: process.argv.includes('--demo') });
