import type { CompiledTenant } from './compiled-tenant.ts';

/**
 * Names of integrations whose warm connections must not be used any more: their definition changed or is gone (credential, hosts,
 * `unsafe…`, TLS), or their secret has another version now.
 */
export function staleIntegrations(former: CompiledTenant, current: CompiledTenant): string[] {
  return [...former.integrations.values()]
    .filter((integration) => {
      if (current.integrations.get(integration.name) !== integration) return true;
      const { secretName } = integration.credential;
      if (secretName === undefined) return false;
      return former.secrets.get(secretName)?.reference.name !== current.secrets.get(secretName)?.reference.name;
    })
    .map((integration) => integration.name);
}
