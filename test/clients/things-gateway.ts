import { type StubApi, startThingsUpstream } from '@postern/testing';
import { type ClientGateway, clientGateway } from './client-gateway.ts';

const TOKEN = 'things-upstream-0123456789abcdef';

/** For the tests of a client that belongs to no provider. Denied is what lies below `/closed`. */
export function thingsGateway(more: object = {}): ClientGateway<StubApi> {
  return clientGateway({
    name: 'things',
    stub: () => startThingsUpstream(TOKEN),
    credential: { type: 'bearer', secret: 'upstream' },
    secret: TOKEN,
    denied: ['/closed/**'],
    more,
  });
}
