import { type RunningGateway, runGateway } from './run-gateway.ts';
import { letYoungHeapGrow } from './young-heap.ts';

/** Runs a gateway as this process: until SIGTERM or SIGINT, or until it cannot go on. Sets the exit code. */
export async function runFromCommandLine(options: { readonly demo: boolean }): Promise<void> {
  let gateway: RunningGateway;
  try {
    gateway = await runGateway({ environment: process.env, demo: options.demo });
  } catch (error) {
    process.stderr.write(`postern: ${messageOf(error)}\n`);
    process.exitCode = 1;
    // The database's threads may be up already.
    setTimeout(() => process.exit(1), 100).unref();
    return;
  }
  letYoungHeapGrow();
  const stop = () => {
    process.once('SIGINT', () => process.exit(130));
    void gateway.stop().then(() => process.exit(0));
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  void gateway.failed.then((error) => {
    process.stderr.write(`postern: the gateway cannot go on: ${messageOf(error)}\n`);
    process.exit(1);
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
