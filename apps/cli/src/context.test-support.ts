import { Readable } from 'node:stream';
import type { CliContext } from './context.ts';

export interface RecordedContext extends CliContext {
  readonly written: () => string;
  readonly noted: () => string;
}

/** A context whose output is kept, without environment, terminal and input unless they are given. */
export function recordedContext(given: Partial<CliContext> & { readonly inputText?: string } = {}): RecordedContext {
  const written: string[] = [];
  const noted: string[] = [];
  const { inputText, ...members } = given;
  return {
    environment: {},
    workingFolder: process.cwd(),
    input: inputText === undefined ? undefined : Readable.from([Buffer.from(inputText)]),
    askHidden: undefined,
    columns: undefined,
    write: (text) => written.push(text),
    note: (text) => noted.push(text),
    now: () => Date.UTC(2026, 2, 1, 12),
    ...members,
    written: () => written.join(''),
    noted: () => noted.join(''),
  };
}
