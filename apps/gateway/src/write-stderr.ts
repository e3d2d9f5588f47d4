import { fstatSync, write } from 'node:fs';
import type { WriteBytes } from './line-queue.ts';

const STDERR = 2;
/** A terminal that takes nothing now is asked again after this long. */
const RETRY_MS = 10;

/**
 * Writes to stderr without ever waiting on the event loop, or in a thread that the database's files and the resolver need: a full
 * pipe or socket is waited for by the loop, a file is written by a thread. A reader that has gone is an error of each write.
 */
export function openStderr(): WriteBytes {
  const kind = fstatSync(STDERR);
  return kind.isFIFO() || kind.isSocket() ? openPipe() : writeFile;
}

/** Node's own stream, as two on one descriptor would take each other's turns. */
function openPipe(): WriteBytes {
  if (!process.stderr.listeners('error').includes(ignore)) process.stderr.on('error', ignore);
  return (bytes, done) => {
    process.stderr.write(bytes, done);
  };
}

/** The reader's end is told to whoever writes; without a listener it would end the process. */
function ignore(): void {}

const writeFile: WriteBytes = (bytes, done) => {
  write(STDERR, bytes, 0, bytes.byteLength, null, (error, written) => {
    if (error !== null && error.code !== 'EAGAIN') return done(error);
    const rest = error === null ? bytes.subarray(written) : bytes;
    if (rest.byteLength === 0) return done();
    setTimeout(() => writeFile(rest, done), error === null ? 0 : RETRY_MS);
  });
};
