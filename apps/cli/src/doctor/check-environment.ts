import { readFileSync } from 'node:fs';
import { ENVIRONMENT_VARIABLES } from '@postern/app-gateway/environment';
import type { CliContext } from '../context.ts';
import { broken, type Finding, warning } from './finding.ts';
import { keyRingProblem } from './key-ring-problem.ts';

/** Mistakes in the variables that this program and a gateway started from the same place would read. */
export function checkEnvironment({ environment }: CliContext): Finding[] {
  return [
    ...checkProxies(environment),
    ...checkNames(environment),
    ...checkToken(environment['POSTERN_ADMIN_TOKEN']),
    ...checkMasterKey(environment),
    ...checkCleartext(environment),
  ];
}

type Environment = CliContext['environment'];

const PROXY_VARIABLES = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy', 'all_proxy'];

function checkProxies(environment: Environment): Finding[] {
  const set = PROXY_VARIABLES.filter((name) => environment[name]);
  if (set.length === 0) return [];
  return [
    warning('proxy-ignored', {
      about: set.join(', '),
      message: 'the gateway does not follow proxy variables: it connects to upstreams itself',
      remedy: 'Let the gateway reach its upstreams directly; clients on this machine need NO_PROXY for its address.',
    }),
  ];
}

/** Read by the command line alone. */
const COMMAND_LINE_OWN = ['POSTERN_ADMIN_URL', 'POSTERN_KEY'];

function checkNames(environment: Environment): Finding[] {
  const known = [...ENVIRONMENT_VARIABLES.map(({ name }) => name), ...COMMAND_LINE_OWN];
  return Object.keys(environment)
    .filter((name) => /^POSTERN_/i.test(name) && environment[name] && !known.includes(name))
    .map((name) => {
      const meant = nearest(name.toUpperCase(), known);
      const remedy =
        meant === undefined ? 'Take it out, or look up the right name in docs/config.md.' : `Call it ${meant}.`;
      return warning('variable-unknown', { about: name, message: 'is read by nothing', remedy });
    });
}

/** The known name that the fewest keystrokes lead to, if they are few. */
function nearest(name: string, known: readonly string[]): string | undefined {
  const [best] = known
    .map((candidate) => ({ candidate, steps: distance(name, candidate) }))
    .sort((left, right) => left.steps - right.steps);
  return best !== undefined && best.steps <= 3 ? best.candidate : undefined;
}

/** Levenshtein's. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= to.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next[j] = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, replaced);
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

/** 128 bits in hexadecimal. */
const ADMIN_TOKEN_LENGTH_MIN = 32;

function checkToken(token: string | undefined): Finding[] {
  if (!token || token.length >= ADMIN_TOKEN_LENGTH_MIN || token.startsWith('pst_')) return [];
  return [
    warning('admin-token-short', {
      about: 'POSTERN_ADMIN_TOKEN',
      message: 'is short enough to be guessed',
      remedy: '`openssl rand -base64 32` makes a good one.',
    }),
  ];
}

function checkMasterKey(environment: Environment): Finding[] {
  const text = environment['POSTERN_MASTER_KEY'];
  const file = environment['POSTERN_MASTER_KEY_FILE'];
  if (text) return judgeMasterKey('POSTERN_MASTER_KEY', text);
  if (!file) return [];
  try {
    return judgeMasterKey('POSTERN_MASTER_KEY_FILE', readFileSync(file, 'utf8'));
  } catch {
    const remedy = 'Put it back from its copy: without it the gateway does not start, and no secret can be opened.';
    return [
      broken('master-key-missing', { about: 'POSTERN_MASTER_KEY_FILE', message: `${file} cannot be read`, remedy }),
    ];
  }
}

function judgeMasterKey(about: string, text: string): Finding[] {
  const message = keyRingProblem(text);
  if (message === undefined) return [];
  const remedy = 'Right is id:base64,… with 32 bytes each; a new one: echo "k1:$(openssl rand -base64 32)"';
  return [broken('master-key-unusable', { about, message, remedy })];
}

function checkCleartext(environment: Environment): Finding[] {
  return (['POSTERN_', 'POSTERN_ADMIN_'] as const).flatMap((prefix) => {
    const listen = environment[`${prefix}LISTEN`];
    if (!listen || environment[`${prefix}TLS_CERT_FILE`] || /^(127\.|\[::1\]|localhost:)/.test(listen)) return [];
    return [
      warning('cleartext-listener', {
        about: `${prefix}LISTEN`,
        message: `${listen} is no loopback address, and there is no certificate: keys cross the network in clear`,
        remedy: `Give ${prefix}TLS_CERT_FILE and ${prefix}TLS_KEY_FILE.`,
      }),
    ];
  });
}
