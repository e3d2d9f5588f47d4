import { apiPath } from '../admin-api.ts';
import type { CliContext } from '../context.ts';
import { Failure } from '../exit.ts';
import { type AdminPlace, findAdminPlace } from '../gateway-place.ts';
import { type HttpAnswer, isProblem, sendRequest } from '../http.ts';
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
    return unusable([
      broken('gateway', error.message.replace(/\.$/, ''), error.lines.join(' ') || 'Start it: postern start'),
    ]);
  }
  const about = `gateway ${place.url}`;
  const ready = await ask(`${place.url}/readyz`, {});
  if (ready instanceof Failure) {
    const remedy =
      place.foundBy === 'data folder'
        ? 'Start it: postern start'
        : 'Is POSTERN_ADMIN_URL right, and the gateway running?';
    return unusable([broken(about, ready.message.replace(/\.$/, ''), remedy)]);
  }
  const findings = [...checkCleartext(place), ...judgeReadiness(about, ready), ...judgeClock(ready, context.now())];
  const answer = await ask(`${place.url}${apiPath('stats')}`, {
    authorization: `Bearer ${place.token}`,
    ...(tenant === undefined ? {} : { 'postern-tenant': tenant }),
  });
  if (answer instanceof Failure) return unusable([...findings, broken(about, answer.message, 'Try again.')]);
  findings.push(judgeToken(about, answer, place));
  return { findings, isUsable: answer.status === 200 };
}

function unusable(findings: readonly Finding[]): GatewayCheck {
  return { findings, isUsable: false };
}

async function ask(url: string, headers: Record<string, string>): Promise<HttpAnswer | Failure> {
  try {
    return await sendRequest({ method: 'GET', url, headers });
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
}

function checkCleartext({ url }: AdminPlace): Finding[] {
  const { protocol, hostname } = new URL(url);
  const isLoopback = hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.');
  if (protocol === 'https:' || isLoopback) return [];
  return [
    warning(
      `gateway ${url}`,
      'the admin token crosses the network in clear',
      'Give the control plane a certificate, and use https.',
    ),
  ];
}

function judgeReadiness(about: string, { status, body }: HttpAnswer): Finding[] {
  const { ready, dependencies } = (body ?? {}) as { ready?: boolean; dependencies?: Record<string, string> };
  if (status === 200 && ready === true) return [ok(about, 'is ready')];
  const states = Object.entries(dependencies ?? {}).map(([name, state]) => `${name}: ${state}`);
  if (status !== 503) return [];
  return [broken(about, `is not ready (${states.join(', ') || 'status 503'})`, 'Its log says why.')];
}

function judgeClock({ headers }: HttpAnswer, now: number): Finding[] {
  const date = headers.get('date');
  if (date === null || Number.isNaN(Date.parse(date))) return [];
  const skewMs = now - Date.parse(date);
  if (Math.abs(skewMs) <= SKEW_WARNING_MS) return [ok('clock', 'agrees with the gateway’s')];
  const way = skewMs > 0 ? 'ahead of' : 'behind';
  const message = `this machine's is ${Math.round(Math.abs(skewMs) / 1_000)} s ${way} the gateway's`;
  return [
    warning(
      'clock',
      message,
      'Set both by NTP: keys end at times of the gateway, and what you give is of this machine.',
    ),
  ];
}

function judgeToken(about: string, { status, body }: HttpAnswer, place: AdminPlace): Finding {
  const source = place.foundBy === 'data folder' ? 'the data folder' : 'POSTERN_ADMIN_TOKEN';
  if (status === 200) return ok(about, 'takes the token');
  const code = isProblem(body) ? body.code : undefined;
  if (place.token.startsWith('pst_')) {
    return broken(
      about,
      'the token is an agent key',
      `Give an admin token in ${source}; "postern admins create" makes one.`,
    );
  }
  switch (code) {
    case 'unauthenticated':
      return broken(about, `refuses the token of ${source}`, 'Is it of this gateway, and neither expired nor revoked?');
    case 'forbidden':
      return broken(
        about,
        'the token may not read the configuration',
        'Use one of role auditor, operator, admin or owner.',
      );
    case 'not_found':
      return broken(about, 'there is no such tenant, or it is not the token’s', 'Name another with --tenant.');
    case 'rate_limited':
      return broken(about, 'too many wrong tokens came from this address', 'Wait a minute.');
    default:
      return broken(about, `answers with status ${status}, and not as a control plane`, placeRemedy(place));
  }
}

function placeRemedy({ foundBy }: AdminPlace): string {
  return foundBy === 'data folder'
    ? 'Another program may listen there: start the gateway again.'
    : 'POSTERN_ADMIN_URL must be the address of the control plane (8081 by default), not of the data plane.';
}
