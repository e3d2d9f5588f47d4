import { ApiProblem } from '@postern/client';
import { type Command, Option } from 'commander';
import { newCommand } from '../command.ts';
import type { CliContext } from '../context.ts';
import { checkAddresses } from '../doctor/check-addresses.ts';
import { checkConfiguration } from '../doctor/check-configuration.ts';
import { checkEnvironment } from '../doctor/check-environment.ts';
import { checkGateway } from '../doctor/check-gateway.ts';
import { checkDataFolder, checkNode } from '../doctor/check-machine.ts';
import { checkNodes } from '../doctor/check-nodes.ts';
import { checkNotifications } from '../doctor/check-notifications.ts';
import { checkScorer } from '../doctor/check-scorer.ts';
import { checkTraffic } from '../doctor/check-traffic.ts';
import { checkUpstreams } from '../doctor/check-upstreams.ts';
import type { Finding } from '../doctor/finding.ts';
import { readConfiguration, readLatestCalls } from '../doctor/read-configuration.ts';
import { whyNotInjected } from '../doctor/why-not-injected.ts';
import { Failure, Misuse } from '../exit.ts';
import { dataFolderOf } from '../gateway-place.ts';
import { visibleJson, visibleText } from '../output/visible-text.ts';
import { commonOptions, openSession, type Session } from '../session.ts';

const MARKS: Record<Finding['status'], string> = { ok: 'ok      ', warning: 'warning ', broken: 'broken  ' };

interface DoctorOptions {
  readonly agent?: string;
  /** False with `--no-connect`. */
  readonly connect: boolean;
}

export function doctorCommand(context: CliContext): Command {
  return newCommand(
    context,
    'doctor',
    'Find common mistakes, each with its remedy; of one integration: why was nothing injected? Exit code 1 when something is broken',
  )
    .argument('[integration]', 'Go the way of a call to it, step by step')
    .option('--agent <name>', 'With an integration: whose call (default: the agent that called last)')
    .addOption(new Option('--no-connect', 'Leave the upstreams alone'))
    .action(async (integration: string | undefined, options: DoctorOptions, command: Command) => {
      if (integration === undefined && options.agent !== undefined) throw new Misuse('--agent needs an integration');
      const findings =
        integration === undefined
          ? await examine(context, command, options)
          : await follow(context, command, { ...options, integration });
      report(context, command, findings);
    });
}

/** Everything that can be looked at. */
async function examine(context: CliContext, command: Command, { connect }: DoctorOptions): Promise<Finding[]> {
  const { environment } = context;
  const isRemote = Boolean(environment['POSTERN_ADMIN_URL']);
  const hasOwnMasterKey = Boolean(environment['POSTERN_MASTER_KEY'] || environment['POSTERN_MASTER_KEY_FILE']);
  const gateway = await checkGateway(context, commonOptions(command).tenant);
  return [
    checkNode(process.versions.node),
    ...checkEnvironment(context),
    ...checkDataFolder(dataFolderOf(context), { isRemote, hasOwnMasterKey }),
    ...gateway.findings,
    ...(gateway.isUsable ? await checkAddresses(context) : []),
    // From another machine than the gateway's, names and ways may be others.
    ...(gateway.isUsable ? await examineTenant(context, command, connect && !isRemote) : []),
  ];
}

async function examineTenant(context: CliContext, command: Command, connect: boolean): Promise<Finding[]> {
  const { client } = openSession(context, command);
  const configuration = await readConfiguration(client);
  const entries = await readLatestCalls(client);
  return [
    ...(await examineNodes(client)),
    ...checkConfiguration(configuration, context.now()),
    ...checkNotifications(await client.notifications.list(), configuration.secrets),
    ...(connect ? await checkUpstreams(context, configuration.integrations) : []),
    ...(await checkScorer(context, configuration, { entries, connect })),
    ...checkTraffic(configuration.integrations, entries),
  ];
}

/** Only an instance owner may know of them. */
async function examineNodes(client: Session['client']): Promise<Finding[]> {
  try {
    return checkNodes(await client.nodes());
  } catch (error) {
    if (error instanceof ApiProblem && (error.code === 'forbidden' || error.code === 'not_found')) return [];
    throw error;
  }
}

async function follow(
  context: CliContext,
  command: Command,
  { integration, agent }: DoctorOptions & { readonly integration: string },
): Promise<Finding[]> {
  const { client } = openSession(context, command);
  const configuration = await readConfiguration(client);
  const entries = await readLatestCalls(client, integration);
  const tenant = commonOptions(command).tenant ?? 'default';
  return await whyNotInjected(context, { configuration, entries, integration, agent, tenant });
}

function report(context: CliContext, command: Command, findings: readonly Finding[]): void {
  const isJson = commonOptions(command).json === true;
  context.write(isJson ? `${visibleJson({ findings })}\n` : render(findings));
  // The answer to "why" repeats the step that it is about.
  const count = findings.filter(({ status, about }) => status === 'broken' && about !== 'answer').length;
  if (count > 0) throw new Failure(`${count} ${count === 1 ? 'thing is' : 'things are'} broken.`);
}

function render(findings: readonly Finding[]): string {
  return findings
    .map(({ status, code, about, message, remedy }) => {
      const mark = code === undefined ? '' : ` [${code}]`;
      const line = `${MARKS[status]}${visibleText(`${about}: ${message}`)}${mark}\n`;
      return remedy === undefined ? line : `${line}${' '.repeat(MARKS.ok.length)}→ ${visibleText(remedy)}\n`;
    })
    .join('');
}
