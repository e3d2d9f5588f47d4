import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { checkVariableNames } from '@postern/app-gateway/environment';
import { readSettings } from '@postern/app-gateway/settings';
import { temporaryFolder } from '@postern/testing';
import { describe, expect, test } from 'vitest';
import { deployFile, ROOT, requireCommand } from './support/deployment.ts';

/** Of systemd.unit(5), systemd.service(5), systemd.exec(5), systemd.kill(5) and systemd.resource-control(5), what we use. */
const KNOWN_KEYS: ReadonlySet<string> = new Set([
  ...['Unit.Description', 'Unit.Wants', 'Unit.After', 'Install.WantedBy'],
  ...[
    ...[
      'Type',
      'ExecStart',
      'WorkingDirectory',
      'Environment',
      'EnvironmentFile',
      'Restart',
      'RestartSec',
      'KillSignal',
    ],
    ...[
      'TimeoutStopSec',
      'LimitNOFILE',
      'DynamicUser',
      'StateDirectory',
      'StateDirectoryMode',
      'UMask',
      'NoNewPrivileges',
    ],
    ...['CapabilityBoundingSet', 'AmbientCapabilities', 'ProtectSystem', 'ProtectHome', 'PrivateTmp', 'PrivateDevices'],
    ...['PrivateUsers', 'ProtectClock', 'ProtectControlGroups', 'ProtectHostname', 'ProtectKernelLogs'],
    ...[
      'ProtectKernelModules',
      'ProtectKernelTunables',
      'ProtectProc',
      'RestrictAddressFamilies',
      'RestrictNamespaces',
    ],
    ...['RestrictRealtime', 'RestrictSUIDSGID', 'LockPersonality', 'RemoveIPC', 'SystemCallArchitectures'],
    ...['SystemCallFilter', 'SystemCallErrorNumber'],
  ].map((key) => `Service.${key}`),
]);

describe('the systemd unit', () => {
  const sections = sectionsOf(deployFile('systemd/postern.service'));
  const service = sections.get('Service') ?? [];
  const of = (name: string) => service.filter(([key]) => key === name).map(([, value]) => value);

  test('starts a command that there is, and stops it in time', async () => {
    const [node = '', program = '', ...args] = (of('ExecStart')[0] ?? '').split(' ');
    expect(path.basename(node)).toBe('node');
    expect(existsSync(path.join(ROOT, program.replace('/opt/postern/', '')))).toBe(true);
    await requireCommand(args);
    expect(of('KillSignal')).toEqual(['SIGTERM']);
    expect(Number(of('TimeoutStopSec')[0])).toBeGreaterThanOrEqual(40);
  });

  test('sets only what the gateway knows, with its data folder where systemd makes one', () => {
    const environment = Object.fromEntries(of('Environment').map((pair) => pair.split('=') as [string, string]));
    expect(checkVariableNames(environment)).toEqual([]);
    expect(readSettings(environment).dataFolder).toBe(`/var/lib/${of('StateDirectory')[0]}`);
    expect(of('StateDirectoryMode')).toEqual(['0700']);
  });

  test('is confined', () => {
    const settings = Object.fromEntries(service);
    expect(settings).toMatchObject({
      ...{ DynamicUser: 'yes', NoNewPrivileges: 'yes', ProtectSystem: 'strict', ProtectHome: 'yes', PrivateTmp: 'yes' },
      ...{ PrivateDevices: 'yes', ProtectKernelModules: 'yes', RestrictNamespaces: 'yes', CapabilityBoundingSet: '' },
    });
    // With it V8 could not compile.
    expect(settings).not.toHaveProperty('MemoryDenyWriteExecute');
  });

  test('has only sections and keys that systemd knows', async () => {
    expect([...sections.keys()]).toEqual(['Unit', 'Service', 'Install']);
    const keys = [...sections].flatMap(([section, pairs]) => pairs.map(([key]) => `${section}.${key}`));
    expect(keys.filter((key) => !KNOWN_KEYS.has(key))).toEqual([]);
    if (spawnSync('systemd-analyze', ['--version']).status !== 0) return;
    // The program need not be installed here: any other that exists stands for it.
    await using folder = await temporaryFolder();
    const unit = path.join(folder.path, 'postern.service');
    const text = deployFile('systemd/postern.service').replace(/^(ExecStart=)\S+/m, `$1${process.execPath}`);
    await writeFile(unit, text.replace(/^WorkingDirectory=.*$/m, 'WorkingDirectory=/'));
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });
});

type Pairs = (readonly [key: string, value: string])[];

/** Sections of a unit with their keys. @throws for a line that is neither. */
function sectionsOf(text: string): ReadonlyMap<string, Pairs> {
  const sections = new Map<string, Pairs>();
  let pairs: Pairs | undefined;
  for (const line of text.split('\n').filter((each) => each !== '' && !each.startsWith('#'))) {
    const section = /^\[([A-Za-z]+)\]$/.exec(line)?.[1];
    if (section !== undefined) {
      pairs = [];
      sections.set(section, pairs);
      continue;
    }
    const [, key = '', value = ''] = /^([A-Za-z]+)=(.*)$/.exec(line) ?? [];
    if (key === '' || pairs === undefined) throw new Error(`no line of a unit: ${line}`);
    pairs.push([key, value]);
  }
  return sections;
}
