export type { CliContext } from './context.ts';
export { MISTAKES, type MistakeCode } from './doctor/finding.ts';
export { run } from './run.ts';
