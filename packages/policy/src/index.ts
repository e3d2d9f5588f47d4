export type { AgentFacts } from './agent-selectors.ts';
export type { ActionFacts, Facts, Target } from './call.ts';
export { type CompiledPolicy, type CompileOptions, compilePolicy, type PolicyBundle } from './compile-policy.ts';
export { type DecideOptions, type Decision, type DecisionError, decide, type TraceStep } from './decide.ts';
export { type ExplainedStep, type Explanation, explain } from './explain.ts';
export { type ActionMatcher, type ActionPatterns, compileActions, matchAction } from './match-action.ts';
export { matchPath } from './path-pattern.ts';
export { PolicyError, type PolicyIssue } from './policy-error.ts';
