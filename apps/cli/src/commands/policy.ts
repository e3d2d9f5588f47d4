import type { Command } from 'commander';
import { newCommand } from '../command.ts';
import type { CliContext } from '../context.ts';
import { addSimulate } from './policy-simulate.ts';
import { addTest } from './policy-test.ts';
import { addVersions } from './policy-versions.ts';

export function policyCommand(context: CliContext): Command {
  const policy = newCommand(context, 'policy', 'The rules as a whole: try them before they count');
  addVersions(policy, context);
  addSimulate(policy, context);
  addTest(policy, context);
  return policy;
}
