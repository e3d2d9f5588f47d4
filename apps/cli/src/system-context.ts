import { createInterface } from 'node:readline';
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
    interrupt,
    now: Date.now,
  };
}

/** The second Ctrl-C ends the program at once, whatever it does. */
function interrupt(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort());
  return controller.signal;
}

/** A line typed without being shown. Ctrl-C ends the program, Ctrl-D the line. */
function askHidden(prompt: string): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const reader = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  // Only now does the terminal show nothing of what is typed.
  process.stderr.write(prompt);
  return new Promise((resolve) => {
    let typed = '';
    reader.once('line', (line) => {
      typed = line;
      reader.close();
    });
    reader.once('close', () => {
      process.stderr.write('\n');
      resolve(typed);
    });
    reader.once('SIGINT', () => {
      process.stderr.write('\n');
      process.exit(130);
    });
  });
}
