import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import type { CliContext } from './context.ts';

/** The process's own environment, streams and clock. */
export function systemContext(): CliContext {
  const { stdin, stdout, stderr } = process;
  return {
    environment: process.env,
    workingFolder: process.cwd(),
    input: stdin.isTTY ? undefined : stdin,
    askHidden: stdin.isTTY && stderr.isTTY ? askHidden : undefined,
    columns: stdout.isTTY ? stdout.columns : undefined,
    write: (text) => stdout.write(text),
    note: (text) => stderr.write(text),
    now: Date.now,
  };
}

async function askHidden(prompt: string): Promise<string> {
  process.stderr.write(prompt);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  try {
    return await reader.question('');
  } finally {
    reader.close();
    process.stderr.write('\n');
  }
}
