import { run } from '@postern/cli';
import type { RunningGateway } from './start-gateway.ts';

export interface CommandEnd {
  readonly code: number;
  readonly out: string;
  readonly notes: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever members it expects and fails when they are not there.
  json(): any;
}

/** `postern …` as a person would give it, on the gateway's data folder. `input` is what `-` reads. */
export async function postern(gateway: RunningGateway, args: readonly string[], input = ''): Promise<CommandEnd> {
  let out = '';
  let notes = '';
  const code = await run(args, {
    workingFolder: gateway.dataFolder,
    environment: { POSTERN_DATA_DIR: gateway.dataFolder },
    input: bytesOf(input),
    askHidden: undefined,
    columns: undefined,
    write: (text) => {
      out += text;
    },
    note: (text) => {
      notes += text;
    },
    now: Date.now,
  });
  return { code, out, notes, json: () => JSON.parse(out) };
}

async function* bytesOf(text: string): AsyncIterable<Uint8Array> {
  yield Buffer.from(text, 'utf8');
}
