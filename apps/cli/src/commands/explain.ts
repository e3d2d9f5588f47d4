import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Command } from 'commander';
import { collect, newCommand } from '../command.ts';
import type { CliContext } from '../context.ts';
import { askDataPlane, findAgentKey } from '../data-plane.ts';
import { Failure, Misuse } from '../exit.ts';
import { type Explanation, renderExplanation } from '../output/explanation.ts';
import { commonOptions, showResult } from '../session.ts';

interface ExplainOptions {
  readonly key?: string;
  readonly header?: readonly string[];
  readonly body?: string;
  readonly bodyFile?: string;
}

export function explainCommand(context: CliContext): Command {
  return newCommand(context, 'explain', 'What would be decided of a call, without sending it')
    .argument('<integration>')
    .argument('<method>')
    .argument('<path>', 'Path and query below the base URL, or a URL under one of the hosts')
    .option('--key <key>', 'The agent key; better in POSTERN_KEY, which others cannot see')
    .option('--header <"name: value">', 'A header of the call; may be repeated', collect)
    .option('--body <text>', 'The body of the call')
    .option('--body-file <file>', 'A file with the body of the call')
    .action((...given: Given) => explain(context, given));
}

/** The arguments, the options, and the command itself. */
type Given = readonly [integration: string, method: string, target: string, options: ExplainOptions, command: Command];

async function explain(context: CliContext, given: Given): Promise<void> {
  const [integration, method, target, options, command] = given;
  const key = findAgentKey(context, options.key);
  if (key === undefined) throw new Misuse('a decision is made for an agent: give its key with POSTERN_KEY or --key');
  const request = {
    method: method.toUpperCase(),
    ...placeOf(target),
    ...headersOf(options.header),
    ...(await bodyOf(context, options)),
  };
  const body = { integration, request };
  const answer = await askDataPlane<Explanation>(context, key, { method: 'POST', path: '/v1/explain', body });
  showResult({ context, json: commonOptions(command).json === true }, answer, renderExplanation(answer));
}

function placeOf(target: string): { path: string } | { url: string } {
  if (/^https?:\/\//i.test(target)) return { url: target };
  return { path: target.startsWith('/') ? target : `/${target}` };
}

function headersOf(given: readonly string[] | undefined): { headers?: Record<string, string[]> } {
  if (given === undefined) return {};
  const headers: Record<string, string[]> = {};
  for (const line of given) {
    const [, name, value] = /^([^:\s]+):\s*(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined) throw new Misuse(`--header: "${line}" is not "name: value"`);
    headers[name] = [...(headers[name] ?? []), value];
  }
  return { headers };
}

async function bodyOf(context: CliContext, { body, bodyFile }: ExplainOptions): Promise<object> {
  if (body !== undefined && bodyFile !== undefined) throw new Misuse('give --body or --body-file, not both');
  if (body !== undefined) return { bodyText: body };
  if (bodyFile === undefined) return {};
  try {
    return { bodyBase64: (await readFile(path.resolve(context.workingFolder, bodyFile))).toString('base64') };
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
    throw new Failure(`${bodyFile} cannot be read (${code}).`, [], { cause });
  }
}
