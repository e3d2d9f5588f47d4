import { ApiProblem, ApiUnreachable, createAdminClient } from '@postern/client';
import type { CliContext } from '../context.ts';
import { Failure } from '../exit.ts';
import { type AdminPlace, dataFolderOf, findAdminPlace, isAlive, readRunFile } from '../gateway-place.ts';
import { type HttpAnswer, sendRequest } from '../http.ts';
import { isLoopback } from '../loopback.ts';
import { describeUnreachable } from '../unreachable.ts';
import { broken, type Finding, ok, warning } from './finding.ts';

/** Signatures and expiry times go wrong beyond this; answers tell whole seconds. */
const SKEW_WARNING_MS = 5_000;

export interface GatewayCheck {
  readonly findings: readonly Finding[];
  /** Whether the configuration can be asked for. */
  readonly isUsable: boolean;
}

/** Whether the control plane is there, is one, is ready, and takes the token. */
export async function checkGateway(context: CliContext, tenant: string | undefined): Promise<GatewayCheck> {
  let place: AdminPlace;
  try {
    place = findAdminPlace(context);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { findings: [absent(context, error)], isUsable: false };
  }
  try {
    return await checkAnswers(context, place, tenant);
  } catch (error) {
    if (!(error instanceof ApiUnreachable)) throw error;
    const { message, lines } = describeUnreachable(error);
    const remedy = lines[0] ?? 'Is the address right, and the gateway running? postern start';
    const mistake = { about: `gateway ${place.url}`, message: withoutStop(message), remedy };
    return { findings: [broken('gateway-unreachable', mistake)], isUsable: false };
  }
}

/** Either nobody runs there, or only the token is missing. */
function absent(context: CliContext, { message, lines }: Failure): Finding {
  const mistake = {
    about: 'gateway',
    message: withoutStop(message),
    remedy: lines.join(' ') || 'Start it: postern start',
  };
  if (context.environment['POSTERN_ADMIN_URL']) return broken('admin-token-missing', mistake);
  const run = readRunFileOrNone(dataFolderOf(context));
  if (run === undefined || !isAlive(run.pid)) return broken('gateway-absent', mistake);
  const [what = '', ...remedy] = message.split(/(?<=\.) /);
  return broken('admin-token-missing', { ...mistake, message: withoutStop(what), remedy: remedy.join(' ') });
}

function readRunFileOrNone(folder: string) {
  try {
    return readRunFile(folder);
  } catch {
    return undefined;
  }
}

async function checkAnswers(context: CliContext, place: AdminPlace, tenant: string | undefined): Promise<GatewayCheck> {
  const about = `gateway ${place.url}`;
  const ready = await sendRequest({ method: 'GET', url: `${place.url}/readyz`, headers: {} });
  const findings = [...checkCleartext(place), ...judgeReadiness(about, ready), ...judgeClock(ready, context.now())];
  if (!(await isControlPlane(place.url))) {
    const mistake = { about, message: 'is not the control plane of a gateway', remedy: placeRemedy(place) };
    return { findings: [...findings, broken('wrong-port', mistake)], isUsable: false };
  }
  const token = await checkToken(about, place, tenant);
  return { findings: [...findings, token], isUsable: token.status === 'ok' };
}

/** Only there is the description of its API; the data plane answers the other questions alike. */
export async function isControlPlane(url: string): Promise<boolean> {
  const answer = await sendRequest({ method: 'HEAD', url: `${url}/openapi.json`, headers: {} });
  return answer.status === 200;
}

function withoutStop(sentence: string): string {
  return sentence.replace(/\.$/, '');
}

function checkCleartext({ url }: AdminPlace): Finding[] {
  const { protocol, hostname } = new URL(url);
  if (protocol === 'https:' || isLoopback(hostname)) return [];
  return [
    warning('cleartext-listener', {
      about: `gateway ${url}`,
      message: 'the admin token crosses the network in clear',
      remedy: 'Give the control plane a certificate, and use https.',
    }),
  ];
}

/** What the gateway says of itself. */
export function judgeReadiness(about: string, { status, body }: Pick<HttpAnswer, 'status' | 'body'>): Finding[] {
  const { ready, dependencies } = (body ?? {}) as { ready?: boolean; dependencies?: Record<string, string> };
  if (status === 200 && ready === true) return [...judgeRedis(about, dependencies), ok(about, 'is ready')];
  const states = Object.entries(dependencies ?? {}).map(([name, state]) => `${name}: ${state}`);
  if (status !== 503) return [];
  const message = `is not ready (${states.join(', ') || 'status 503'})`;
  return [broken('gateway-not-ready', { about, message, remedy: 'Its log says why.' })];
}

function judgeRedis(about: string, dependencies: Record<string, string> | undefined): Finding[] {
  if (dependencies?.['redis'] !== 'degraded') return [];
  const message = 'its Redis does not answer: each node grants rate limits for itself, and hears later of changes';
  return [warning('redis-away', { about, message, remedy: 'Its log says why; is POSTERN_REDIS_URL right?' })];
}

function judgeClock({ headers }: HttpAnswer, now: number): Finding[] {
  const date = headers.get('date');
  if (date === null || Number.isNaN(Date.parse(date))) return [];
  const skewMs = now - Date.parse(date);
  if (Math.abs(skewMs) <= SKEW_WARNING_MS) return [ok('clock', 'agrees with the gateway’s')];
  const way = skewMs > 0 ? 'ahead of' : 'behind';
  const message = `this machine's is ${Math.round(Math.abs(skewMs) / 1_000)} s ${way} the gateway's`;
  return [
    warning('clock-skew', {
      about: 'clock',
      message,
      remedy: 'Set both by NTP: keys end at times of the gateway, and what you give is of this machine.',
    }),
  ];
}

async function checkToken(about: string, place: AdminPlace, tenant: string | undefined): Promise<Finding> {
  const { url, token } = place;
  try {
    await createAdminClient({ url, token, ...(tenant === undefined ? {} : { tenant }) }).stats();
    return ok(about, 'takes the token');
  } catch (error) {
    if (!(error instanceof ApiProblem)) throw error;
    return judgeRefusal(about, error, place);
  }
}

function judgeRefusal(about: string, { code, status }: ApiProblem, { foundBy, token }: AdminPlace): Finding {
  const source = foundBy === 'data folder' ? 'the data folder' : 'POSTERN_ADMIN_TOKEN';
  const refused = (message: string, remedy: string) => broken('token-refused', { about, message, remedy });
  if (token.startsWith('pst_'))
    return refused('the token is an agent key', `Give an admin token in ${source}; "postern admins create" makes one.`);
  switch (code) {
    case 'unauthenticated':
      return refused(`refuses the token of ${source}`, 'Is it of this gateway, and neither expired nor revoked?');
    case 'forbidden':
      return refused('the token may not read the configuration', 'Use one of role auditor, operator, admin or owner.');
    case 'not_found':
      return refused('there is no such tenant, or it is not the token’s', 'Name another with --tenant.');
    case 'rate_limited':
      return refused('too many wrong tokens came from this address', 'Wait a minute.');
    default:
      return refused(`refuses with status ${status}`, 'Its log says why.');
  }
}

function placeRemedy({ foundBy }: AdminPlace): string {
  return foundBy === 'data folder'
    ? 'Another program may listen there: start the gateway again.'
    : 'POSTERN_ADMIN_URL must be the address of the control plane (8081 by default), not of the data plane.';
}
