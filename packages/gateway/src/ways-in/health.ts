import { answerJson } from '../answers/documents.ts';
import type { Gateway } from '../gateway.ts';
import type { ApiWayIn } from './way-in.ts';

/** Liveness: the event loop turns. */
export const healthz: ApiWayIn = {
  kind: 'api',
  async answer(_gateway, request) {
    answerJson(request.exchange, 200, { status: 'ok' }, request.event.requestId);
  },
};

export interface Readiness {
  readonly ready: boolean;
  readonly dependencies: Readonly<Record<string, 'ok' | 'degraded' | 'failing' | 'stopping'>>;
}

/**
 * Ready means: calls are accepted, the database answers, and what must be recorded gets recorded. What costs speed and no call is told and
 * no more: a Redis that is away, an integration's own address that could not be opened.
 */
export function readiness(gateway: Gateway): Readiness {
  const dependencies = {
    listener: gateway.isStopping() ? 'stopping' : 'ok',
    database: gateway.directory.isConfirmed() ? 'ok' : 'failing',
    audit: gateway.journal.lag().oldestMs < AUDIT_LAG_MS_MAX ? 'ok' : 'failing',
  } as const;
  const ready = Object.values(dependencies).every((state) => state === 'ok');
  const redis = gateway.redisState?.();
  return {
    ready,
    dependencies: {
      ...dependencies,
      ...(redis === undefined ? {} : { redis }),
      ownAddresses: gateway.ownAddressesOpen() ? 'ok' : 'failing',
    },
  };
}

/** Entries wait for milliseconds when all is well. */
const AUDIT_LAG_MS_MAX = 5_000;

/** Readiness, with the state of each dependency; 503 when a load balancer should look elsewhere. */
export const readyz: ApiWayIn = {
  kind: 'api',
  async answer(gateway, request) {
    const { ready, dependencies } = readiness(gateway);
    answerJson(
      request.exchange,
      ready ? 200 : 503,
      { status: ready ? 'ready' : 'not ready', dependencies },
      request.event.requestId,
    );
  },
};
