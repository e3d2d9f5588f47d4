import { flushCompileCache } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import type { WorkerAnswer, WorkerRequest } from '../../worker-link.ts';
import type { Operation, WorkerSettings } from '../protocol.ts';
import { type Answering, createReader } from './reader.ts';
import { toWireError } from './wire-error.ts';
import { Writer } from './writer.ts';

/** A database worker: answers one operation after the other, each exactly once. */
const port = parentPort;
if (port === null) throw new Error('this file is the start of a worker thread');

const settings = workerData as WorkerSettings;
const handle = createHandler(settings);

port.on('message', ({ id, operation }: WorkerRequest<Operation>) => {
  handle(operation, (error, value) => {
    const answer: WorkerAnswer = error === undefined ? { id, value } : { id, error: toWireError(error) };
    port.postMessage(answer);
    if (operation.op === 'close') port.close();
  });
});

// Else compiled code is kept only where the process ends in peace.
flushCompileCache();

function createHandler(workerSettings: WorkerSettings): (operation: Operation, answer: Answering) => void {
  if (workerSettings.role === 'reader') return createReader(workerSettings.file);
  const writer = new Writer(workerSettings);
  return (operation, answer) => writer.handle(operation, answer);
}
