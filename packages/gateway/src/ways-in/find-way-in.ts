import { Rejection } from '@postern/schemas';
import { CALLS_PREFIX } from '../queue/answer-later.ts';
import type { AdmittedRequest } from '../stages/admit.ts';
import { APPROVALS_PREFIX, approval } from './approvals.ts';
import { baseUrl } from './base-url.ts';
import { queuedCall } from './calls.ts';
import { execute } from './execute.ts';
import { executeApproval, executedId } from './execute-approval.ts';
import { explain } from './explain.ts';
import { healthz, readyz } from './health.ts';
import { integrations } from './integrations.ts';
import { isForUs, lastHop } from './last-hop.ts';
import type { WayIn } from './way-in.ts';
import { whoami } from './whoami.ts';
import { wholeHost } from './whole-host.ts';

interface Route {
  readonly methods: readonly string[];
  readonly wayIn: WayIn;
}

const ROUTES: Readonly<Record<string, Route>> = {
  '/v1/execute': { methods: ['POST'], wayIn: execute },
  '/v1/explain': { methods: ['POST'], wayIn: explain },
  '/v1/whoami': { methods: ['GET', 'HEAD'], wayIn: whoami },
  '/v1/integrations': { methods: ['GET', 'HEAD'], wayIn: integrations },
  '/healthz': { methods: ['GET', 'HEAD'], wayIn: healthz },
  '/readyz': { methods: ['GET', 'HEAD'], wayIn: readyz },
};

/** Of an approval or a queued call, by its id. */
function routeBelow(path: string): Route | undefined {
  if (path.startsWith(CALLS_PREFIX)) {
    const id = path.slice(CALLS_PREFIX.length);
    return id === '' || id.includes('/') ? undefined : { methods: ['GET', 'HEAD', 'DELETE'], wayIn: queuedCall };
  }
  if (!path.startsWith(APPROVALS_PREFIX)) return undefined;
  if (executedId(path) !== undefined) return { methods: ['POST'], wayIn: executeApproval };
  const id = path.slice(APPROVALS_PREFIX.length);
  return id === '' || id.includes('/') ? undefined : { methods: ['GET', 'HEAD', 'DELETE'], wayIn: approval };
}

/** @throws Rejection `not_found`, `method_not_allowed`. */
export function findWayIn(request: AdmittedRequest): WayIn {
  const { requestTarget, method } = request;
  if (request.arrival.kind !== 'gateway') return isForUs(request) ? lastHop : wholeHost;
  if (requestTarget.startsWith('/to/')) return isForUs(request) ? lastHop : baseUrl;
  const mark = requestTarget.indexOf('?');
  const path = mark < 0 ? requestTarget : requestTarget.slice(0, mark);
  const route = Object.hasOwn(ROUTES, path) ? ROUTES[path] : routeBelow(path);
  if (route === undefined)
    throw new Rejection('not_found', 'Calls go to /to/{integration}/{path} or to POST /v1/execute.');
  if (!route.methods.includes(method))
    throw new Rejection('method_not_allowed', `Use ${route.methods.join(' or ')} here.`, {
      details: { allow: route.methods },
    });
  return route.wayIn;
}
