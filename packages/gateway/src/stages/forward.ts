import { startExchange } from '@postern/proxy-runtime';
import type { Answer } from '../answers/answer.ts';
import type { Gateway } from '../gateway.ts';
import type { CredentialedCall } from './inject-credential.ts';

/**
 * Stages 11 and 12: sends the call and passes the upstream's answer on as it comes. Resolves when the call is settled; an answer
 * that breaks off after its head is cut towards the caller and settled, not thrown.
 *
 * @throws ForwardRejection when the call failed before the head of an answer was passed on.
 */
export function forward(gateway: Gateway, credentialed: CredentialedCall, answer: Answer): Promise<void> {
  const { guarded } = credentialed.intent;
  const { integration } = guarded.allowed.call;
  return new Promise((resolve, reject) => {
    if (!answer.begin(gateway, credentialed, { resolve, reject })) return;
    const exchange = startExchange(
      integration.lane,
      {
        target: guarded.target,
        request: credentialed.request,
        redirectPrefix: `${gateway.publicUrl()}/to/${integration.name}`,
      },
      answer,
    );
    answer.attach(exchange);
  });
}
