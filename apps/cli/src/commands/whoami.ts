import { ApiProblem } from '@postern/client';
import type { Command } from 'commander';
import { newCommand } from '../command.ts';
import type { CliContext } from '../context.ts';
import { askDataPlane, findAgentKey } from '../data-plane.ts';
import { renderObject } from '../output/object.ts';
import { commonOptions, openSession, type Session, showResult } from '../session.ts';

export function whoamiCommand(context: CliContext): Command {
  return newCommand(context, 'whoami', 'Who a key or token is: the agent, if there is a key, else the administrator')
    .option('--key <key>', 'An agent key; better in POSTERN_KEY, which others cannot see')
    .action(async (options: { key?: string }, command: Command) => {
      const key = findAgentKey(context, options.key);
      const who =
        key === undefined
          ? await administrator(openSession(context, command))
          : await askDataPlane<object>(context, key, { method: 'GET', path: '/v1/whoami' });
      showResult({ context, json: commonOptions(command).json === true }, who, renderObject(who));
    });
}

/** The control plane does not tell a token its name; what it may do shows what it is. */
async function administrator({ client, url }: Session): Promise<object> {
  const stats = await unlessForbidden(client.stats());
  const admins = await unlessForbidden(client.admins.list({ limit: 1 }));
  return {
    administrator: true,
    ...(stats === undefined ? {} : { tenant: stats.tenant }),
    mayRead: stats !== undefined,
    isInstanceOwner: admins !== undefined,
    controlPlane: url,
  };
}

async function unlessForbidden<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ApiProblem && error.code === 'forbidden') return undefined;
    throw error;
  }
}
