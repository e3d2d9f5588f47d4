import { flushCompileCache } from 'node:module';
import { runGateway } from './run-gateway.ts';
import { letYoungHeapGrow } from './young-heap.ts';

/** Runs a gateway as this process: until SIGTERM or SIGINT, or until it cannot go on. Sets the exit code. */
export async function runFromCommandLine(options: { readonly demo: boolean }): Promise<void> {
  const starting = runGateway({ environment: process.env, demo: options.demo });
  // From the first moment on: a signal during the start stops what has been started.
  const stop = () => {
    process.once('SIGINT', () => process.exit(130));
    starting
      .then((gateway) => gateway.stop())
      .then(
        () => process.exit(0),
        () => process.exit(1),
      );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  try {
    const gateway = await starting;
    letYoungHeapGrow();
    // Else compiled code is kept only when the program ends in peace. A tenth of a second, at the first start; 3 ms later.
    flushCompileCache();
    void gateway.failed.then((error) => {
      process.stderr.write(`postern: the gateway cannot go on: ${messageOf(error)}\n`);
      process.exit(1);
    });
  } catch (error) {
    process.stderr.write(`postern: ${messageOf(error)}\n`);
    process.exitCode = 1;
    // The database's threads may be up already.
    setTimeout(() => process.exit(1), 100).unref();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
