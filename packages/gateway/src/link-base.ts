import type { Arrival } from './arrival-hosts.ts';
import type { Gateway } from './gateway.ts';

/**
 * What replaces the integration's base URL in links of its answers, without trailing slash: the base of the way that the call came
 * by, so that whoever follows them comes by it again. Never made of what the request says in `Host`.
 */
export function linkBase(gateway: Gateway, arrival: Arrival, integration: string): string {
  switch (arrival.kind) {
    case 'gateway':
      return `${gateway.publicUrl()}/to/${integration}`;
    case 'host':
      return arrival.baseUrl(gateway.publicUrl());
    case 'own':
      return arrival.baseUrl;
  }
}
