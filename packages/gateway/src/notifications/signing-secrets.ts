import { readWebhookSecret } from '@postern/approvals';
import type { SecretsPort } from '@postern/db/ports';
import type { SecretCache } from '@postern/vault';
import { cachedSecret } from '../directory/secret-version.ts';
import { WebhookFailure } from './webhook-failure.ts';

export interface SigningSecretsSource {
  readonly secrets: Pick<SecretsPort, 'getByName' | 'listSecretEnvelopeVersions'>;
  /** Opens versions of secrets. */
  readonly cache: Pick<SecretCache, 'get'>;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** The gateway's own: a message is no agent's. A secret that lists environments and not this one is never opened. */
  readonly environment: string | undefined;
}

/** For so long after a new version the one before signs too, so that receivers can be given the new one one by one. */
export const WEBHOOK_SECRET_OVERLAP_MS = 86_400_000;

/**
 * What a message is signed with: the active version of the secret, and for a day the one before it. Standard Webhooks 1.0.0: "multiple
 * signatures … for zero downtime secret rotation".
 *
 * @throws WebhookFailure `secret_unavailable` when there is none, it is not for the gateway's environment, or it cannot be opened
 */
export async function signingSecrets(
  source: SigningSecretsSource,
  tenant: string,
  name: string,
): Promise<readonly [string, ...string[]]> {
  const { secrets, now, environment } = source;
  const secret = await secrets.getByName(tenant, name);
  if (secret === undefined) throw new WebhookFailure('secret_unavailable');
  if (secret.environments?.includes(environment ?? '') === false) throw new WebhookFailure('secret_unavailable');
  const { activeVersion } = secret;
  const active = await open(source, { tenant, name, version: activeVersion });
  const versions = await secrets.listSecretEnvelopeVersions(tenant, name);
  const place = versions.findIndex(({ version }) => version === activeVersion);
  const isNew = (versions[place]?.createdAt ?? 0) > now() - WEBHOOK_SECRET_OVERLAP_MS;
  const former = versions[place + 1];
  if (!isNew || former === undefined) return [active];
  // The former may be no webhook secret at all: then it signed nothing.
  const value = await open(source, { tenant, name, version: former.version }).catch(() => undefined);
  return value === undefined || !isWebhookSecret(value) ? [active] : [active, value];
}

async function open(
  { cache }: SigningSecretsSource,
  reference: { readonly tenant: string; readonly name: string; readonly version: number },
): Promise<string> {
  try {
    return (await cache.get(cachedSecret(reference))).reveal();
  } catch (cause) {
    throw new WebhookFailure('secret_unavailable', { cause });
  }
}

function isWebhookSecret(value: string): boolean {
  try {
    readWebhookSecret(value);
    return true;
  } catch {
    return false;
  }
}
