import type { Command } from 'commander';
import { newCommand } from '../command.ts';
import type { CliContext } from '../context.ts';
import { checkConfiguration } from '../doctor/check-configuration.ts';
import { checkGateway } from '../doctor/check-gateway.ts';
import { checkDataFolder, checkNode } from '../doctor/check-machine.ts';
import type { Finding } from '../doctor/finding.ts';
import { readConfiguration } from '../doctor/read-configuration.ts';
import { Failure } from '../exit.ts';
import { dataFolderOf } from '../gateway-place.ts';
import { visibleJson, visibleText } from '../output/visible-text.ts';
import { commonOptions, openSession } from '../session.ts';

const MARKS: Record<Finding['status'], string> = { ok: 'ok      ', warning: 'warning ', broken: 'broken  ' };

export function doctorCommand(context: CliContext): Command {
  return newCommand(
    context,
    'doctor',
    'Find common mistakes, each with its remedy; exit code 1 when something is broken',
  ).action(async (_options: object, command: Command) => {
    const { json, tenant } = commonOptions(command);
    const isRemote = Boolean(context.environment['POSTERN_ADMIN_URL']);
    const gateway = await checkGateway(context, tenant);
    const findings = [
      checkNode(process.versions.node),
      ...checkDataFolder(dataFolderOf(context), isRemote),
      ...gateway.findings,
      ...(gateway.isUsable
        ? checkConfiguration(await readConfiguration(openSession(context, command).client), context.now())
        : []),
    ];
    context.write(json === true ? `${visibleJson({ findings })}\n` : render(findings));
    const count = findings.filter(({ status }) => status === 'broken').length;
    if (count > 0) throw new Failure(`${count} ${count === 1 ? 'thing is' : 'things are'} broken.`);
  });
}

function render(findings: readonly Finding[]): string {
  return findings
    .map(({ status, about, message, remedy }) => {
      const line = `${MARKS[status]}${visibleText(`${about}: ${message}`)}\n`;
      return remedy === undefined ? line : `${line}${' '.repeat(MARKS.ok.length)}→ ${visibleText(remedy)}\n`;
    })
    .join('');
}
