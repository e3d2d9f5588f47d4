import { Worker } from 'node:worker_threads';
import type { WireError } from './journal/batch.ts';
import { DbError } from './ports/db-error.ts';

/** A question to a worker; each is answered exactly once. */
export interface WorkerRequest<Operation> {
  readonly id: number;
  readonly operation: Operation;
}

export type WorkerAnswer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: WireError };

/** The main thread's end of one database worker. */
export interface WorkerLink<Operation> {
  request<T>(operation: Operation): Promise<T>;
  /** As `request`, for the path where a promise a batch is one too many. `settle` is called exactly once, later. */
  send(operation: Operation, settle: (error: DbError | undefined, value: unknown) => void): void;
  /** Lets the worker end after all that was asked before. */
  close(): Promise<void>;
  /** Ends the worker where it stands, as a fault would. */
  terminate(): Promise<void>;
  /** Resolves when the worker died without being closed. */
  readonly failed: Promise<DbError>;
}

export interface WorkerStart {
  /** Of the folder in which the worker's `main` lies: TypeScript from a checkout, JavaScript when compiled. */
  readonly folder: URL;
  /** Told by the system's tools. */
  readonly name: string;
  readonly workerData: unknown;
  /** Bounds of the worker's JavaScript heap. */
  readonly heap: { readonly maxOldGenerationSizeMb: number; readonly maxYoungGenerationSizeMb: number };
}

type Settle = (error: DbError | undefined, value: unknown) => void;

/** Starts a worker, which knows the operation `close` besides those asked of it. Requests wait in its queue until it has started. */
export function startWorkerLink<Operation>({ folder, name, workerData, heap }: WorkerStart): WorkerLink<Operation> {
  const pending = new Map<number, Settle>();
  let lastId = 0;
  let over: DbError | undefined;
  let closing: Promise<void> | undefined;
  const failure = Promise.withResolvers<DbError>();
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const worker = new Worker(new URL(`main.${extension}`, folder), { workerData, name, resourceLimits: heap });

  worker.on('message', (answer: WorkerAnswer) => {
    const settle = pending.get(answer.id);
    pending.delete(answer.id);
    if (pending.size === 0) worker.unref();
    if (settle === undefined) return;
    if ('error' in answer) settle(toDbError(answer.error), undefined);
    else settle(undefined, answer.value);
  });
  worker.on('error', (error) => end(error));
  worker.on('exit', (code) => end(new Error(`the database worker ended with code ${code}`)));
  // An idle worker keeps no process alive; a question that waits for its answer does.
  worker.unref();

  function end(cause: Error): void {
    if (over !== undefined) return;
    const reason = closing === undefined ? `the database worker died: ${cause.message}` : 'the database is closed';
    over = new DbError('unavailable', reason, cause);
    for (const settle of pending.values()) settle(over, undefined);
    pending.clear();
    if (closing === undefined) failure.resolve(over);
  }

  function send(operation: Operation, settle: Settle): void {
    const refusal =
      over ?? (closing && new DbError('unavailable', 'the database is closed')) ?? post(operation, settle);
    if (refusal !== undefined) queueMicrotask(() => settle(refusal, undefined));
  }

  /** Returns why the operation cannot be handed over. */
  function post(operation: Operation | { readonly op: 'close' }, settle: Settle): DbError | undefined {
    const request: WorkerRequest<typeof operation> = { id: ++lastId, operation };
    try {
      worker.postMessage(request);
    } catch (error) {
      return new DbError('invalid', 'a value cannot be handed to the database worker', error);
    }
    if (pending.size === 0) worker.ref();
    pending.set(request.id, settle);
    return undefined;
  }

  function request<T>(operation: Operation): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      send(operation, (error, value) => (error === undefined ? resolve(value as T) : reject(error)));
    });
  }

  async function close(): Promise<void> {
    await new Promise<void>((resolve) => {
      if (over !== undefined || post({ op: 'close' }, () => resolve()) !== undefined) resolve();
    });
    await worker.terminate();
  }

  return {
    request,
    send,
    close: () => {
      closing ??= close();
      return closing;
    },
    terminate: async () => void (await worker.terminate()),
    failed: failure.promise,
  };
}

function toDbError(error: WireError): DbError {
  return new DbError(error.code, error.message);
}
