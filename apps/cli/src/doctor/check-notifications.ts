import type { ApiNotification } from '@postern/client';
import type { ConfiguredSecret } from './check-configuration.ts';
import { broken, type Finding, warning } from './finding.ts';

/**
 * Endpoints whose messages cannot be signed, or may not be. A message is no agent's: a secret that lists environments signs only where the
 * gateway's own, `POSTERN_ENVIRONMENT`, is one of them.
 */
export function checkNotifications(
  notifications: readonly ApiNotification[],
  secrets: readonly ConfiguredSecret[],
): Finding[] {
  return notifications.flatMap(({ url, secret: name, lastError }): Finding[] => {
    const about = `notifications to ${new URL(url).host}`;
    const secret = secrets.find((candidate) => candidate.name === name);
    if (secret === undefined) {
      return [
        broken('secret-missing', {
          about,
          message: `the secret ${name} does not exist`,
          remedy: `postern secrets set ${name}`,
        }),
      ];
    }
    const { environments } = secret;
    if (environments === undefined) return [];
    const message = `their secret ${name} is for ${environments.join(', ')}, and for no gateway without that environment`;
    const remedy = `Start the gateway with POSTERN_ENVIRONMENT=${environments[0] ?? 'NAME'}, or take a secret for all environments.`;
    const mistake = { about, message, remedy };
    // Whether it is the gateway's is not told here; that no message could be signed is.
    return lastError === 'secret_unavailable'
      ? [broken('environment-mismatch', mistake)]
      : [warning('environment-mismatch', mistake)];
  });
}
