import { answerJson } from '../answers/documents.ts';
import { authenticate } from '../stages/authenticate.ts';
import type { ApiWayIn } from './way-in.ts';

/** `GET /v1/whoami`: what the gateway knows of the holder of a key. */
export const whoami: ApiWayIn = {
  kind: 'api',
  async answer(gateway, request) {
    const { agent } = await authenticate(gateway, request, 'call');
    const document = {
      tenant: agent.tenant,
      agent: agent.name,
      roles: agent.roles,
      trust: agent.trustName,
      environment: agent.environment ?? null,
      key: {
        id: agent.keyId,
        expiresAt: Number.isFinite(agent.keyExpiresAt) ? new Date(agent.keyExpiresAt).toISOString() : null,
        scopes: agent.scopes,
      },
    };
    answerJson(request.exchange, 200, document, request.event.requestId);
  },
};
