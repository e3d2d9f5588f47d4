import { ApiProblem } from '@postern/client';
import { Failure } from './exit.ts';
import { describeProblem } from './report-error.ts';
import type { YamlFile } from './yaml-file.ts';

/** The answer to what was sent of a file. A refusal is told with the lines that the file has; without a file as it comes. */
export async function withLinesOf<T>(
  file: Pick<YamlFile, 'name' | 'lineOf'> | undefined,
  answer: Promise<T>,
): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (file === undefined || !(error instanceof ApiProblem)) throw error;
    const { message, lines } = describeProblem(error.problem, file);
    throw new Failure(message, lines, { cause: error });
  }
}
