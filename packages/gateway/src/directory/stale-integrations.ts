import { SCORER_POOL } from '../risk/scorer-endpoint.ts';
import type { CompiledTenant } from './compiled-tenant.ts';

/**
 * Names of integrations whose warm connections must not be used any more: their definition changed or is gone (credential, hosts,
 * `unsafe…`, TLS), or their secret has another version now. The tenant's risk scorer stands among them under the name of its pool.
 */
export function staleIntegrations(former: CompiledTenant, current: CompiledTenant): string[] {
  const isRotated = (secretName: string | undefined) => {
    if (secretName === undefined) return false;
    return former.secrets.get(secretName)?.reference.name !== current.secrets.get(secretName)?.reference.name;
  };
  const names = [...former.integrations.values()]
    .filter((integration) => {
      if (current.integrations.get(integration.name) !== integration) return true;
      return isRotated(integration.credential.secretName);
    })
    .map((integration) => integration.name);
  const { scorer } = former;
  const isScorerStale = scorer !== undefined && (scorer !== current.scorer || isRotated(scorer.spec.secret));
  return isScorerStale ? [...names, SCORER_POOL] : names;
}
