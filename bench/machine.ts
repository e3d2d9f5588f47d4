import { readFileSync, statfsSync } from 'node:fs';
import { arch, cpus, release, totalmem } from 'node:os';

/** What a reader must know to judge the figures. No host name, no path. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMb: number;
  readonly kernel: string;
  readonly architecture: string;
  readonly node: string;
  /** Where the databases lie: a commit on `tmpfs` costs no disk. */
  readonly filesystem: string;
}

/** statfs(2) */
const FILESYSTEMS: Readonly<Record<number, string>> = {
  61267: 'ext4',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  2035054128: 'overlayfs',
  16914836: 'tmpfs',
};

export function describeMachine(folder: string): Machine {
  const processors = cpus();
  const type = statfsSync(folder).type;
  return {
    cpu: processors[0]?.model.trim() || 'unknown',
    cores: processors.length,
    memoryMb: Math.round(totalmem() / 1_048_576),
    kernel: `Linux ${release()}`,
    architecture: arch(),
    node: process.version,
    filesystem: FILESYSTEMS[type] ?? `0x${type.toString(16)}`,
  };
}

/** Work of others that would be measured too; a run on a busy machine says so. Load average of the last minute. */
export function loadAverage(): number {
  return Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0]);
}
