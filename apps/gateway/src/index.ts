export { ENVIRONMENT_VARIABLES, type EnvironmentVariable } from './environment.ts';
export { runFromCommandLine } from './run-from-command-line.ts';
export { type RunningGateway, type RunOptions, runGateway } from './run-gateway.ts';
