// Before anything is loaded, as it asks for.
if (process.argv[2] === 'start') (await import('@postern/app-gateway/prepare-memory')).prepareMemory();

const { run } = await import('./run.ts');
const { systemContext } = await import('./system-context.ts');

// A reader that has seen enough, such as `head`, is no fault of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

const exitCode = await run(process.argv.slice(2), systemContext());
// `start` goes on after this, and sets its own.
if (exitCode !== 0) process.exitCode = exitCode;
