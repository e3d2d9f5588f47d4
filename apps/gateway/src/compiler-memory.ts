import { setFlagsFromString } from 'node:v8';

/**
 * Has V8 free what its compiler needed for a function as soon as that is installed. By itself it leaves that to the threads that compile,
 * which come to it when nothing is left to compile: when load begins, what hundreds of functions needed waits there, 38 MB of which
 * the process keeps a good part for good.
 */
export function freeCompilerMemory(): void {
  setFlagsFromString('--no-maglev-destroy-on-background');
}
