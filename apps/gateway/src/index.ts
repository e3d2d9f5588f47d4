export { ENVIRONMENT_VARIABLES, type EnvironmentVariable } from './environment.ts';
export { CHECK_FILE } from './keys.ts';
export { KEYS_MARK } from './nodes/shared-keys.ts';
export { lockFile } from './open-stores.ts';
export { runFromCommandLine } from './run-from-command-line.ts';
export { type RunningGateway, type RunOptions, runGateway } from './run-gateway.ts';
