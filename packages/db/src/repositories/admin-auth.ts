import type { DbClient } from '../client.ts';
import type { AdminAuthPort } from '../ports/admin-auth.ts';
import { createAdminAccessRequests } from './admin-access-requests.ts';
import { createAdminIdentities } from './admin-identities.ts';
import { createAdminSignupPolicy } from './admin-signup-policy.ts';
import type { RepositoryOptions } from './repository-options.ts';

export function createAdminAuth(dbClient: DbClient, options: RepositoryOptions): AdminAuthPort {
  return {
    ...createAdminSignupPolicy(dbClient, options),
    ...createAdminIdentities(dbClient, options),
    ...createAdminAccessRequests(dbClient, options),
  };
}
