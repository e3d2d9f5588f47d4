import { run } from '@postern/cli';
import type { RunningGateway } from './start-gateway.ts';

export interface CommandEnd {
  readonly code: number;
  readonly out: string;
  readonly notes: string;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever members it expects and fails when they are not there.
  json(): any;
}

/**
 * `postern …` as a person would give it, on the gateway's data folder, or with the token given from elsewhere. `input` is what `-` reads.
 */
export async function postern(
  gateway: RunningGateway,
  args: readonly string[],
  input = '',
  token?: string,
): Promise<CommandEnd> {
  let out = '';
  let notes = '';
  const code = await run(args, {
    workingFolder: gateway.dataFolder,
    environment:
      token === undefined
        ? { POSTERN_DATA_DIR: gateway.dataFolder }
        : { POSTERN_ADMIN_URL: gateway.adminUrl, POSTERN_ADMIN_TOKEN: token },
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
