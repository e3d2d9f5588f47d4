import { readdirSync, readFileSync } from 'node:fs';

/** What Node and npm keep in the temporary folder for themselves. */
const CACHES = new Set(['node-compile-cache', 'node-jiti']);

/** Entries of a temporary folder that the tests should have removed. */
export function findFilesLeft(temporary: string): string[] {
  return readdirSync(temporary).filter((name) => !CACHES.has(name));
}

/**
 * Ends the processes that carry `variable=value` in their environment, but this one, and tells what they were. They are the ones
 * that a test started and did not stop. Linux only: elsewhere nothing is found.
 */
export function stopProcessesLeft(variable: string, value: string): string[] {
  const found: string[] = [];
  for (const pid of processIds()) {
    if (pid === process.pid || !readProcess(pid, 'environ').split('\0').includes(`${variable}=${value}`)) continue;
    const command = readProcess(pid, 'cmdline').split('\0').join(' ').trim();
    if (command === '') continue; // already dead, waiting to be reaped
    found.push(`${pid} ${command.slice(0, 200)}`);
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself in between.
    }
  }
  return found;
}

function processIds(): number[] {
  try {
    return readdirSync('/proc').map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
}

function readProcess(pid: number, file: 'environ' | 'cmdline'): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1');
  } catch {
    return ''; // It ended, or belongs to another user and is none of ours.
  }
}
