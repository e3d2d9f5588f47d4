import { type CliContext, MISTAKES, run } from '@postern/cli';
import { expect } from 'vitest';

export interface Finding {
  readonly status: 'ok' | 'warning' | 'broken';
  readonly code?: string;
  readonly about: string;
  readonly message: string;
  readonly remedy?: string;
}

export interface Diagnosis {
  readonly findings: readonly Finding[];
  readonly exitCode: number;
  readonly out: string;
  find(code: string): Finding | undefined;
}

/** `postern doctor …` as a person would give it, on the data folder of the gateway. */
export async function doctor(
  dataFolder: string,
  args: readonly string[] = [],
  given: Partial<CliContext> = {},
): Promise<Diagnosis> {
  let out = '';
  let notes = '';
  const exitCode = await run(['--json', 'doctor', ...args], {
    workingFolder: dataFolder,
    input: undefined,
    askHidden: undefined,
    columns: undefined,
    write: (text) => {
      out += text;
    },
    note: (text) => {
      notes += text;
    },
    now: Date.now,
    ...given,
    environment: { POSTERN_DATA_DIR: dataFolder, ...given.environment },
  });
  if (out === '') throw new Error(`the doctor said nothing: ${notes}`);
  const { findings } = JSON.parse(out) as { findings: Finding[] };
  for (const { status, code, remedy } of findings) {
    // Each mistake has a code and one line that says what to do.
    expect(status === 'ok' ? code : remedy).toEqual(status === 'ok' ? undefined : expect.stringMatching(/^[^\n]{5,}$/));
    if (status !== 'ok') expect(Object.keys(MISTAKES)).toContain(code);
  }
  for (const { remedy } of findings) if (remedy !== undefined) await expectCommand(remedy);
  expect(exitCode).toBe(findings.some(({ status }) => status === 'broken') ? 1 : 0);
  return { findings, exitCode, out, find: (code) => findings.find((finding) => finding.code === code) };
}

const tried = new Set<string>();

/** A command that a remedy names is one, and takes the options that are named. */
async function expectCommand(remedy: string): Promise<void> {
  const [, words = '', rest = ''] = /\bpostern ((?:[a-z]+ ?)+)(.*)/.exec(remedy) ?? [];
  const command = words.trim().split(' ').slice(0, 3);
  const line = `${command.join(' ')} ${rest}`;
  if (words === '' || tried.has(line)) return;
  tried.add(line);
  let help = '';
  const context = { workingFolder: '/', input: undefined, askHidden: undefined, columns: 200, now: Date.now };
  const write = (text: string) => {
    help += text;
  };
  for (let length = command.length; length > 0 && !help.startsWith('Usage'); length -= 1) {
    await run([...command.slice(0, length), '--help'], { ...context, environment: {}, write, note: () => undefined });
  }
  expect(help, remedy).toMatch(/^Usage: postern [a-z ]+/);
  const usage = help.split('\n')[0] ?? '';
  expect(usage, remedy).not.toContain('[command]');
  for (const [option] of rest.matchAll(/--[a-z-]+|(?<= )-f\b/g)) expect(help, remedy).toContain(option);
}
