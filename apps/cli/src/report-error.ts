import { ApiProblem, ApiUnreachable } from '@postern/client';
import type { Problem } from '@postern/schemas';
import { CommanderError } from 'commander';
import type { CliContext } from './context.ts';
import { EXIT, Failure, Misuse } from './exit.ts';
import { visibleText } from './output/visible-text.ts';
import { describeUnreachable } from './unreachable.ts';

/** Tells on standard error what went wrong, and returns the exit code for it. Faults of our own are thrown on. */
export function reportError(context: CliContext, error: unknown): number {
  // Commander has told it already; asking for help is no misuse, leaving out the command is.
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.misused;
  const tell = (message: string, lines: readonly string[] = []) => {
    // What a message quotes stays on its line.
    context.note(`postern: ${visibleText(message)}\n`);
    for (const line of lines) context.note(`  ${visibleText(line)}\n`);
  };
  if (error instanceof Misuse) {
    tell(error.message);
    return EXIT.misused;
  }
  if (error instanceof Failure) {
    tell(error.message, error.lines);
    return EXIT.failed;
  }
  if (error instanceof ApiProblem || error instanceof ApiUnreachable) {
    const { message, lines } =
      error instanceof ApiProblem ? describeProblem(error.problem) : describeUnreachable(error);
    tell(message, lines);
    return EXIT.failed;
  }
  throw error;
}

/** Line of a field in the file that was sent; undefined where there is none. */
export type LineOf = (field: string) => number | undefined;

/** Title, detail, each fault with field and line, and the id under which the gateway's log has more. */
export function describeProblem(problem: Problem, file?: { readonly name: string; readonly lineOf: LineOf }) {
  const { title, detail, issues = [], requestId, retryAfterSeconds } = problem;
  const lines = issues.map(({ field, message, line, rule }) => {
    const at = file === undefined ? line : (file.lineOf(field) ?? line);
    const place = file === undefined ? (at === undefined ? '' : `line ${at}: `) : `${file.name}:${at ?? 1}: `;
    return `${place}${field === '' ? '' : `${field}: `}${message}${rule === undefined ? '' : `, in rule ${rule}`}`;
  });
  if (retryAfterSeconds !== undefined) lines.push(`Try again in ${retryAfterSeconds} s.`);
  if (requestId !== undefined) lines.push(`Request id: ${requestId}`);
  return { message: detail === undefined || detail === title ? title : `${title}: ${detail}`, lines };
}
