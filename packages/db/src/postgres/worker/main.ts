import { flushCompileCache } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import type { WorkerAnswer, WorkerRequest } from '../../worker-link.ts';
import { type Operation, Operations } from './operations.ts';
import { toWireError } from './wire-error.ts';

/** The worker of a journal on PostgreSQL: answers each operation exactly once. */
const port = parentPort;
if (port === null) throw new Error('this file is the start of a worker thread');

const operations = new Operations((workerData as { readonly url: string }).url);

port.on('message', ({ id, operation }: WorkerRequest<Operation>) => {
  const answer = (message: WorkerAnswer) => {
    port.postMessage(message);
    if (operation.op === 'close') port.close();
  };
  operations.perform(operation).then(
    (value) => answer({ id, value }),
    (error: unknown) => answer({ id, error: toWireError(error) }),
  );
});

// Else compiled code is kept only where the process ends in peace.
flushCompileCache();
