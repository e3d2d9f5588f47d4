import type { ApiNode, ApiNodes } from '@postern/client';
import { broken, type Finding, ok, warning } from './finding.ts';

/** Nodes go by the database's clock; beyond this, what they sign and the certificates they judge go wrong. */
const CLOCK_MS = 1_000;
/** What may lose calls that were sent; all else is a wall behind another one. */
const LOSES_ENTRIES = 'commits_before_disk';

/** Mistakes that only several nodes on one database can have, and those of the database's role. */
export function checkNodes({ items, database }: ApiNodes): Finding[] {
  const living = items.filter(({ isAlive }) => isAlive);
  const findings = [
    ...checkRedis(living),
    ...living.flatMap(checkClock),
    ...checkVersions(living),
    ...checkRole(database.findings),
  ];
  if (findings.length > 0 || living.length === 0) return findings;
  return [ok('nodes', `${living.length} ${living.length === 1 ? 'node works' : 'nodes work'} on the database`)];
}

function checkRedis(living: readonly ApiNode[]): Finding[] {
  const without = living.filter(({ hasRedis }) => !hasRedis).map(({ name }) => name);
  if (living.length < 2 || without.length === 0) return [];
  return [
    warning('nodes-without-redis', {
      about: `nodes ${without.join(', ')}`,
      message: `${living.length} nodes run, and these have no Redis: each grants rate limits for itself, and hears later of changes`,
      remedy: 'Give all nodes the same POSTERN_REDIS_URL.',
    }),
  ];
}

function checkClock({ name, clockAheadMs }: ApiNode): Finding[] {
  if (Math.abs(clockAheadMs) <= CLOCK_MS) return [];
  const way = clockAheadMs > 0 ? 'ahead of' : 'behind';
  return [
    warning('clock-skew', {
      about: `node ${name}`,
      message: `its clock is ${(Math.abs(clockAheadMs) / 1_000).toFixed(1)} s ${way} the database’s, by which all nodes go`,
      remedy: 'Set both by NTP: what the node signs, and the certificates that it judges, go by a clock too.',
    }),
  ];
}

function checkVersions(living: readonly ApiNode[]): Finding[] {
  const versions = [...new Set(living.map(({ version }) => version))];
  if (versions.length < 2) return [];
  const told = living.map(({ name, version }) => `${name} ${version}`).join(', ');
  return [
    warning('nodes-differ', {
      about: 'nodes',
      message: `they run different versions: ${told}`,
      remedy: 'Bring all to the newest; while one replaces the others this is as it should be.',
    }),
  ];
}

function checkRole(found: ApiNodes['database']['findings']): Finding[] {
  return found.map(({ code, message }) => {
    const mistake = {
      about: 'database',
      message: message.replace(/\.$/, ''),
      remedy: 'docs/guides/operations.md tells which role is right, and how `postern migrate` makes it.',
    };
    return code === LOSES_ENTRIES ? broken('database-role', mistake) : warning('database-role', mistake);
  });
}
