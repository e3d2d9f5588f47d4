export {
  ERROR_CODES,
  ERROR_KINDS,
  type ErrorCode,
  type ErrorKind,
  Rejection,
  type RejectionDetails,
  type RejectionOptions,
  type ValidationIssue,
} from './errors.ts';
export { PROBLEM_MEDIA_TYPE, PROBLEM_TYPE_BASE, type Problem, toProblem } from './problem.ts';
